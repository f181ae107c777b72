#include <temper/data/batch_sampler.hpp>

#include <algorithm>
#include <memory>
#include <numeric>

#include <temper/core/random.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::data {

namespace {

struct Bucket {
  std::vector<std::int64_t> examples;  // from short to long
  std::int64_t batch_size;
};

/// Streams of its own: the Loader's shuffling uses 0, Weighted small numbers.
constexpr std::uint64_t of_buckets = std::uint64_t{1} << 62;

template <class T>
void shuffle(std::span<T> values, const Epoch& epoch, std::uint64_t which) {
  const temper::detail::RandomStream random(epoch.seed, temper::detail::RandomUse::shuffle,
                                            static_cast<std::uint64_t>(epoch.number), of_buckets | which);
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random.below(i, i)]);
}

std::int64_t padded(std::int64_t length, std::int64_t multiple) {
  return (length + multiple - 1) / multiple * multiple;
}

std::vector<Bucket> buckets_of(std::span<const std::int64_t> lengths, const ByLengthOptions& options) {
  std::vector<std::int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto length = [&](std::int64_t i) { return lengths[static_cast<std::size_t>(i)]; };
  std::ranges::stable_sort(order, {}, length);
  const std::int64_t count = std::ssize(order);
  std::int64_t typical = options.batch_size;
  if (options.max_tokens > 0 && count > 0) {
    const std::int64_t middle = std::max<std::int64_t>(1, length(order[order.size() / 2]));
    typical = std::max<std::int64_t>(1, options.max_tokens / middle);
  }
  const std::int64_t wanted =
      options.buckets > 0 ? options.buckets : std::clamp<std::int64_t>(count / (4 * typical), 1, 32);
  // Whole batches in each but the last, where all batches have one size.
  std::int64_t size = std::max<std::int64_t>(1, (count + wanted - 1) / wanted);
  if (options.max_tokens == 0) size = padded(size, options.batch_size);
  std::vector<Bucket> buckets;
  for (std::int64_t begin = 0; begin < count; begin += size) {
    const auto first = order.begin() + begin, last = order.begin() + std::min(begin + size, count);
    Bucket bucket{{first, last}, options.batch_size};
    if (options.max_tokens > 0) {
      const std::int64_t longest =
          std::max<std::int64_t>(1, padded(length(bucket.examples.back()), options.pad_multiple));
      if (longest > options.max_tokens) {
        fail<ValueError>("by_length: example {} has {} tokens with padding, max_tokens is {}", bucket.examples.back(),
                         longest, options.max_tokens);
      }
      bucket.batch_size = options.max_tokens / longest;
    }
    buckets.push_back(std::move(bucket));
  }
  return buckets;
}

}  // namespace

BatchSampler by_length(std::span<const std::int64_t> lengths, const ByLengthOptions& options) {
  if (options.batch_size < 1) fail<ValueError>("by_length: batch_size {}, expected at least 1", options.batch_size);
  if (options.max_tokens < 0) fail<ValueError>("by_length: max_tokens {}, expected 0 or more", options.max_tokens);
  if (options.pad_multiple < 1)
    fail<ValueError>("by_length: pad_multiple {}, expected at least 1", options.pad_multiple);
  if (options.buckets < 0) fail<ValueError>("by_length: {} buckets, expected 0 or more", options.buckets);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0) fail<ValueError>("by_length: example {} has length {}, expected 0 or more", i, lengths[i]);
  }
  const auto buckets = std::make_shared<const std::vector<Bucket>>(buckets_of(lengths, options));
  return [buckets, shuffles = options.shuffle, drop_last = options.drop_last](const Epoch& epoch) {
    struct Batch {
      std::size_t bucket;
      std::int64_t begin, end;
    };
    std::vector<std::vector<std::int64_t>> examples;
    std::vector<Batch> batches;
    for (const Bucket& bucket : *buckets) {
      examples.push_back(bucket.examples);
      const std::size_t which = examples.size() - 1;
      if (shuffles) shuffle(std::span(examples.back()), epoch, which + 1);
      const std::int64_t count = std::ssize(bucket.examples);
      for (std::int64_t begin = 0; begin < count; begin += bucket.batch_size) {
        const std::int64_t end = std::min(begin + bucket.batch_size, count);
        if (!drop_last || end - begin == bucket.batch_size) batches.push_back({which, begin, end});
      }
    }
    if (shuffles) shuffle(std::span(batches), epoch, 0);
    BatchPlan all;
    for (const Batch& batch : batches) {
      const auto& from = examples[batch.bucket];
      all.examples.insert(all.examples.end(), from.begin() + batch.begin, from.begin() + batch.end);
      all.ends.push_back(std::ssize(all.examples));
    }
    return all;
  };
}

}  // namespace temper::data
