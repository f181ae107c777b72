#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <temper/models/language/language_model.hpp>

namespace temper::models {

/// How the next token is drawn from its logits.
struct SampleOptions {
  double temperature = 1.0;  ///< divides the logits; 0 takes the most likely token
  std::int64_t top_k = 0;    ///< keep only the k most likely tokens; 0 for all
  double top_p = 1.0;        ///< of these, keep the smallest set of most likely tokens with at least this probability
};

/// A token drawn from softmax(logits / temperature), restricted to the most likely ones, with `chance`, a uniform
/// random number in [0, 1). Of equally likely tokens, the one with the smaller id counts as the more likely. Throws:
/// ValueError for no logits, for logits that are NaN or all -inf, and for options out of range. Source of top_k: Fan,
/// Lewis, Dauphin, "Hierarchical neural story generation" (2018); of top_p: Holtzman et al., "The curious case of
/// neural text degeneration" (2019).
std::int64_t sample(std::span<const float> logits, const SampleOptions& options, double chance);

struct GenerateOptions {
  std::int64_t tokens = 100;  ///< how many to generate, at most
  SampleOptions sample = {};
  std::optional<std::uint64_t> seed = std::nullopt;      ///< by default drawn from the generator of manual_seed()
  std::optional<std::int64_t> stop = std::nullopt;       ///< token that ends the text, and is the last one returned
  std::function<void(std::int64_t)> on_token = nullptr;  ///< called with each token as soon as it is drawn
};

/// Continues a text: returns the tokens that follow `prompt`. When the context is full, generation continues from its
/// last half, rounded up. Unrecorded, and without dropout.
/// Throws: ValueError for an empty prompt, a token outside the vocabulary, or options out of range.
std::vector<std::int64_t> generate(const LanguageModel& model, std::span<const std::int64_t> prompt,
                                   const GenerateOptions& options = {});

}  // namespace temper::models
