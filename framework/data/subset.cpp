#include <temper/data/subset.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <temper/core/random.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::data {

namespace detail {

void check_indices(std::span<const std::int64_t> indices, std::int64_t size, const char* what) {
  for (const std::int64_t i : indices) {
    if (i < 0 || i >= size) fail<ValueError>("{}: example {} of a data set of {}", what, i, size);
  }
}

std::size_t checked_index(std::int64_t i, std::int64_t size, const char* what) {
  if (i < 0 || i >= size) fail<ValueError>("{}: example {} of {}", what, i, size);
  return static_cast<std::size_t>(i);
}

void check_labels(std::size_t labels, std::int64_t size) {
  if (static_cast<std::int64_t>(labels) == size) return;
  fail<ValueError>("split: {} labels for {} examples, expected one each", labels, size);
}

std::vector<std::vector<std::int64_t>> split_indices(std::int64_t size, std::span<const double> shares,
                                                     std::span<const std::int64_t> labels, std::uint64_t seed) {
  if (!labels.empty()) check_labels(labels.size(), size);
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (!std::ranges::all_of(shares, [](double share) { return share >= 0; }) || !(std::abs(sum - 1) < 1e-9)) {
    fail<ValueError>("split: shares {}, expected none below 0 and a sum of 1", fmt::join(shares, ", "));
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  // Epoch 0, which no loader has.
  const temper::detail::RandomStream random(seed, temper::detail::RandomUse::shuffle, 0);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i, i)]);
  if (!labels.empty()) {
    std::ranges::stable_sort(order, {}, [&](std::int64_t i) { return labels[static_cast<std::size_t>(i)]; });
  }
  // Each class is cut where the running share of all examples up to it rounds to: so the parts are right for every
  // class to one example, and for the whole.
  std::vector<std::vector<std::int64_t>> parts(shares.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = order.size();
    if (!labels.empty()) {
      const auto label = [&](std::size_t at) { return labels[static_cast<std::size_t>(order[at])]; };
      for (end = begin; end < order.size() && label(end) == label(begin);) ++end;
    }
    double share = 0;
    std::size_t at = begin;
    for (std::size_t part = 0; part < shares.size(); ++part) {
      share = part + 1 == shares.size() ? 1.0 : share + shares[part];
      const auto upto = [&](std::size_t count) { return std::llround(share * static_cast<double>(count)); };
      const std::size_t stop = begin + static_cast<std::size_t>(upto(end) - upto(begin));
      for (; at < stop; ++at) parts[part].push_back(order[at]);
    }
    begin = end;
  }
  for (auto& part : parts) std::ranges::sort(part);
  return parts;
}

std::vector<std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>>> fold_indices(
    std::int64_t size, int k, std::span<const std::int64_t> labels, std::uint64_t seed) {
  if (k < 2 || k > size) fail<ValueError>("k_fold: {} folds of {} examples, expected 2 to {}", k, size, size);
  const std::vector<double> shares(static_cast<std::size_t>(k), 1.0 / k);
  auto parts = split_indices(size, shares, labels, seed);
  std::vector<std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>>> folds;
  for (const auto& held_out : parts) {
    std::vector<std::int64_t> train;
    for (const auto& part : parts) {
      if (&part != &held_out) train.insert(train.end(), part.begin(), part.end());
    }
    std::ranges::sort(train);
    folds.emplace_back(std::move(train), held_out);
  }
  return folds;
}

std::vector<double> running_sums(std::span<const double> weights, std::int64_t size) {
  if (static_cast<std::int64_t>(weights.size()) != size) {
    fail<ValueError>("Weighted: {} weights for {} examples, expected one each", weights.size(), size);
  }
  std::vector<double> sums;
  double sum = 0;
  for (const double weight : weights) {
    if (!(weight >= 0) || !std::isfinite(weight)) {
      fail<ValueError>("Weighted: weight {} of example {}, expected a finite one, 0 or more", weight, sums.size());
    }
    sums.push_back(sum += weight);
  }
  if (!(sum > 0) || !std::isfinite(sum)) fail<ValueError>("Weighted: the weights sum to {}, expected above 0", sum);
  return sums;
}

void check_draws(std::int64_t size) {
  if (size < 1) fail<ValueError>("Weighted: {} draws an epoch, expected 1 or more", size);
}

std::int64_t weighted_draw(std::span<const double> sums, const Epoch& epoch, std::int64_t i) {
  // The loader's own shuffling has 0 for the last number.
  const temper::detail::RandomStream random(epoch.seed, temper::detail::RandomUse::shuffle,
                                            static_cast<std::uint64_t>(epoch.number),
                                            static_cast<std::uint64_t>(i) + 1);
  const double place = random.uniform(0) * sums.back();
  // The first sum above it: one of weight 0 is never drawn. Rounding may reach the end.
  const auto found = std::ranges::upper_bound(sums, place);
  return found != sums.end() ? found - sums.begin() : std::ranges::lower_bound(sums, sums.back()) - sums.begin();
}

}  // namespace detail

std::vector<double> balanced_weights(std::span<const std::int64_t> labels) {
  std::map<std::int64_t, double> counts;
  for (const std::int64_t label : labels) counts[label] += 1;
  std::vector<double> weights;
  weights.reserve(labels.size());
  for (const std::int64_t label : labels) {
    weights.push_back(1 / (counts[label] * static_cast<double>(counts.size())));
  }
  return weights;
}

}  // namespace temper::data
