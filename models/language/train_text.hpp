#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <temper/models/language/generate.hpp>
#include <temper/run/program.hpp>

namespace temper::models {

/// What the training programs of language models have in common.
struct TextOptions {
  std::string tokenizer = "char";              ///< or "sentencepiece"
  std::int64_t pieces = 2000;                  ///< vocabulary size of sentencepiece
  std::int64_t held_out = 0;                   ///< characters of the held-out text to evaluate on; 0: all
  std::string prompt = "And it came to pass";  ///< that the trained model continues
  std::int64_t length = 600;                   ///< tokens to generate
  SampleOptions sample = {.temperature = 0.7, .top_p = 0.9};

  /// Adds the options --tokenizer, --pieces, --sample and so on.
  void add_to(OwnOptions& own);
};

/// The defaults of these programs, and which of the options above may change when a run is resumed.
Program text_program(std::string name, std::string description);

/// Trains a model on a text, by default the King James Bible, and prints how it continues a prompt. `make` makes the
/// model for a vocabulary.
void train_text(Run& run, TextOptions options,
                const std::function<std::unique_ptr<LanguageModel>(std::int64_t vocabulary)>& make);

}  // namespace temper::models
