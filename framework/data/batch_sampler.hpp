#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <temper/data/dataset.hpp>

namespace temper::data {

/// The batches of an epoch.
struct BatchPlan {
  std::vector<std::int64_t> examples;  ///< their numbers, one batch after the other
  std::vector<std::int64_t> ends;      ///< where in `examples` each batch ends
};

/// Decides which examples go into which batch, for LoaderOptions::batch_sampler. The result may depend on the epoch
/// alone, so that a resumed run sees the same batches, and every epoch must have equally many. An example may be left
/// out or occur several times.
using BatchSampler = std::function<BatchPlan(const Epoch&)>;

struct ByLengthOptions {
  std::int64_t batch_size = 32;   ///< examples in a batch
  std::int64_t max_tokens = 0;    ///< if set, instead of batch_size: most tokens in a batch, padding included
  std::int64_t pad_multiple = 1;  ///< lengths are padded to a multiple of it
  int buckets = 0;                ///< 0: at most 32, of at least four batches each
  bool shuffle = true;            ///< else short examples first
  bool drop_last = false;         ///< drop the last batch of a bucket when it is not full
};

/// Batches of examples of similar length, to waste little on padding (bucketing). The examples are sorted by length and
/// split into buckets once; every epoch shuffles the examples within each bucket, and the order of the batches.
///
///     const data::Tokenized texts(...);
///     data::Loader loader(texts, {.batch_sampler = data::by_length(texts.lengths(), {.batch_size = 32})});
///
/// Throws: ValueError for a length below 0 or above `max_tokens`, or options out of range.
BatchSampler by_length(std::span<const std::int64_t> lengths, const ByLengthOptions& options = {});

}  // namespace temper::data
