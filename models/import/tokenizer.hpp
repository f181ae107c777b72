#pragma once

#include <cstdint>
#include <filesystem>

#include <temper/data/subword_tokenizer.hpp>

namespace temper::models {

/// The tokenizer in a folder of Hugging Face's: tokenizer.json, or without one vocab.txt, whose case is folded unless
/// tokenizer_config.json says otherwise (do_lower_case). Throws: FileError when there is neither, and as
/// data::SubwordTokenizer does.
data::SubwordTokenizer load_tokenizer(const std::filesystem::path& folder);

/// What transformers wants to know of a tokenizer besides its tokenizer.json.
struct TokenizerFolderOptions {
  std::int64_t end = -1;      ///< the token that ends a text, as of save_gpt2 and save_llama; -1: none
  std::int64_t longest = -1;  ///< tokens of the longest text that the model reads; -1: any
};

/// Writes tokenizer.json and tokenizer_config.json, with which AutoTokenizer of transformers gives the same tokens,
/// into the folder of a model. Throws: ValueError for an `end` that is not in the vocabulary; FileError when a file
/// cannot be written.
void save_tokenizer(const std::filesystem::path& folder, const data::SubwordTokenizer& tokenizer,
                    const TokenizerFolderOptions& options = {});

}  // namespace temper::models
