#include <temper/models/language/generate.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <temper/autograd/ops/cast.hpp>
#include <temper/core/random.hpp>
#include <temper/models/language/cache.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::models {

namespace {

void check(const SampleOptions& options) {
  if (!(options.temperature >= 0.0 && std::isfinite(options.temperature))) {
    fail<ValueError>("sample: temperature {}, expected 0 or more", options.temperature);
  }
  if (options.top_k < 0) fail<ValueError>("sample: top_k {}, expected 0 (all) or more", options.top_k);
  if (!(options.top_p > 0.0 && options.top_p <= 1.0)) {
    fail<ValueError>("sample: top_p {}, expected above 0 up to 1", options.top_p);
  }
}

struct Candidate {
  std::int64_t token;
  double logit, weight;
};

/// The last `count` tokens, or all if there are fewer.
std::span<const std::int64_t> last(const std::vector<std::int64_t>& tokens, std::int64_t count) {
  const std::span<const std::int64_t> all(tokens);
  return all.last(std::min(all.size(), static_cast<std::size_t>(count)));
}

}  // namespace

std::int64_t sample(std::span<const float> logits, const SampleOptions& options, double chance) {
  check(options);
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (const float logit : logits) {
    if (std::isnan(logit)) fail<ValueError>("sample: the logit of token {} is NaN", candidates.size());
    candidates.push_back({static_cast<std::int64_t>(candidates.size()), static_cast<double>(logit), 0.0});
  }
  const auto more_likely = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  };
  const auto best = std::min_element(candidates.begin(), candidates.end(), more_likely);
  if (best == candidates.end()) fail<ValueError>("sample: no logits");
  const double top = best->logit;
  if (std::isinf(top)) fail<ValueError>("sample: the largest of the logits is {}", top);
  if (options.temperature == 0.0) return best->token;

  if (options.top_k > 0 && options.top_k < static_cast<std::int64_t>(candidates.size())) {
    std::ranges::partial_sort(candidates, candidates.begin() + options.top_k, more_likely);
    candidates.resize(static_cast<std::size_t>(options.top_k));
  } else if (options.top_p < 1.0) {
    std::ranges::sort(candidates, more_likely);
  }
  double total = 0.0;
  for (Candidate& candidate : candidates) {
    total += candidate.weight = std::exp((candidate.logit - top) / options.temperature);
  }
  if (options.top_p < 1.0) {
    double kept = 0.0;
    std::size_t count = 0;
    while (count < candidates.size() && kept < options.top_p * total) kept += candidates[count++].weight;
    candidates.resize(count);
    total = kept;
  }
  double remaining = chance * total;
  std::int64_t drawn = -1;
  for (const Candidate& candidate : candidates) {
    if (candidate.weight == 0.0) continue;
    drawn = candidate.token;  // the last candidate, if rounding keeps `remaining` from becoming negative
    if ((remaining -= candidate.weight) < 0.0) break;
  }
  return drawn;
}

std::vector<std::int64_t> generate(const LanguageModel& model, std::span<const std::int64_t> prompt,
                                   const GenerateOptions& options) {
  check(options.sample);
  const std::int64_t context = model.context(), vocabulary = model.vocabulary();
  if (prompt.empty()) fail<ValueError>("generate: an empty prompt, expected at least one token");
  if (options.tokens < 0) fail<ValueError>("generate: {} tokens, expected 0 or more", options.tokens);
  for (const std::int64_t token : prompt) {
    if (token < 0 || token >= vocabulary) {
      fail<ValueError>("generate: token {} of the prompt is outside the vocabulary of {}", token, vocabulary);
    }
  }
  const detail::RandomStream random =
      options.seed ? detail::RandomStream(*options.seed, detail::RandomUse::sample, 0) : detail::next_draw();
  std::vector<std::int64_t> tokens(prompt.begin(), prompt.end());
  KeyValueCache cache(model.cache_sizes());
  std::span<const std::int64_t> unseen = last(tokens, context);
  for (std::int64_t i = 0; i < options.tokens; ++i) {
    if (cache.size() + static_cast<std::int64_t>(unseen.size()) > context) {
      cache.clear();
      unseen = last(tokens, (context + 1) / 2);
    }
    const Tensor logits = to(model(from(unseen, {static_cast<std::int64_t>(unseen.size())}), cache), Dtype::f32);
    const auto next = logits.values<float>().last(static_cast<std::size_t>(vocabulary));
    tokens.push_back(sample(next, options.sample, random.uniform(static_cast<std::uint64_t>(i))));
    unseen = last(tokens, 1);
    if (options.on_token) options.on_token(tokens.back());
    if (options.stop == tokens.back()) break;
  }
  tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(prompt.size()));
  return tokens;
}

}  // namespace temper::models
