#include <temper/models/import/tokenizer.hpp>

#include <temper/io/tokenizer.hpp>

#include "models/import/config_internal.hpp"

namespace temper::models {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Whether tokenizer_config.json, which need not be there, lets a vocab.txt fold the case of texts.
bool folds_case(const fs::path& folder) {
  const fs::path file = folder / "tokenizer_config.json";
  if (!detail::path_exists(file)) return true;
  const std::string text = detail::read_text(file, detail::max_config_bytes);
  return detail::with_path(file, [&] {
    detail::check_json_depth(text);
    const json config = json::parse(text, nullptr, false);
    if (!config.is_object()) fail<FileError>("not a JSON object");
    std::string problems;
    const bool folds = detail::ConfigReader(config, problems).flag("do_lower_case", true);
    if (!problems.empty()) fail<FileError>("a tokenizer that cannot be:{}", problems);
    return folds;
  });
}

}  // namespace

data::SubwordTokenizer load_tokenizer(const fs::path& folder) {
  const fs::path file = folder / "tokenizer.json", vocabulary = folder / "vocab.txt";
  if (detail::path_exists(file)) return data::SubwordTokenizer::load(file);
  if (detail::path_exists(vocabulary)) {
    return data::SubwordTokenizer::load_vocabulary(vocabulary, {.lowercase = folds_case(folder)});
  }
  fail<FileError>("{}: has no tokenizer, neither tokenizer.json nor vocab.txt", detail::printable(folder.native()));
}

void save_tokenizer(const fs::path& folder, const data::SubwordTokenizer& tokenizer,
                    const TokenizerFolderOptions& options) {
  // The class that takes everything from tokenizer.json; those of single models would put in what they know themselves.
  json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  const auto name = [&](const char* key, std::int64_t id) {
    if (id != -1) config[key] = tokenizer.token(id);
  };
  name("pad_token", tokenizer.pad());
  name("unk_token", tokenizer.unk());
  name("cls_token", tokenizer.cls());
  name("sep_token", tokenizer.sep());
  name("mask_token", tokenizer.mask());
  name("eos_token", options.end);
  // Of the models here, BERT alone takes token types.
  config["model_input_names"] = {"input_ids", "attention_mask"};
  if (tokenizer.id("[CLS]") >= 0) config["model_input_names"].push_back("token_type_ids");
  if (options.longest >= 0) config["model_max_length"] = options.longest;
  temper::save(folder / "tokenizer.json", tokenizer);
  detail::write_json(folder / "tokenizer_config.json", config);
}

}  // namespace temper::models
