#include <temper/models/bert/batches.hpp>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <utility>

#include <temper/core/random.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::models {

using detail::RandomStream;
using detail::RandomUse;

namespace {

std::int64_t only(std::span<const std::int64_t> indices) {
  if (indices.size() != 1) fail<ValueError>("TextBatches: {} batches at once, expected a batch size of 1", indices.size());
  return indices.front();
}

}  // namespace

struct TextBatches::Storage {
  using Order = std::shared_ptr<const std::vector<std::int64_t>>;

  data::Tokenized texts;
  std::int64_t batch_size;
  std::vector<std::int64_t> lengths;

  std::mutex mutex;  // guards what follows: the order of the epoch that was asked for last
  data::Epoch epoch{.number = 0};
  Order order;

  /// The texts by length, those of one length in an order of their own each epoch. Batches are cut from it.
  Order order_of(const data::Epoch& wanted) {
    const std::lock_guard lock(mutex);
    if (order != nullptr && epoch == wanted) return order;
    auto drawn = std::make_shared<std::vector<std::int64_t>>(lengths.size());
    std::iota(drawn->begin(), drawn->end(), std::int64_t{0});
    const RandomStream random(wanted.seed, RandomUse::transform, static_cast<std::uint64_t>(wanted.number));
    for (std::size_t i = drawn->size(); i > 1; --i) std::swap((*drawn)[i - 1], (*drawn)[random.below(i, i)]);
    std::ranges::stable_sort(*drawn, {}, [&](std::int64_t i) { return lengths[static_cast<std::size_t>(i)]; });
    epoch = wanted;
    order = std::move(drawn);
    return order;
  }
};

TextBatches::TextBatches(data::Tokenized texts, std::int64_t batch_size)
    : storage_(std::make_shared<Storage>(std::move(texts), batch_size)) {
  if (batch_size < 1) fail<ValueError>("TextBatches: batch size {}, expected at least 1", batch_size);
  const std::int64_t count = storage_->texts.size();
  storage_->lengths.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) storage_->lengths.push_back(storage_->texts.padded_length(i));
}

std::int64_t TextBatches::size() const {
  return (storage_->texts.size() + storage_->batch_size - 1) / storage_->batch_size;
}

std::array<Tensor, 2> TextBatches::get(std::int64_t i, const data::Epoch& epoch) const {
  const auto order = storage_->order_of(epoch);
  const auto first = static_cast<std::size_t>(i * storage_->batch_size);
  const auto size = static_cast<std::size_t>(storage_->batch_size);
  return storage_->texts.batch(std::span(*order).subspan(first, std::min(size, order->size() - first)));
}

std::array<Tensor, 2> TextBatches::batch(std::span<const std::int64_t> indices, const data::Epoch& epoch) const {
  return get(only(indices), epoch);
}

MaskedBatches::MaskedBatches(TextBatches batches, const data::Tokenizer& tokenizer, const MaskingOptions& options)
    : batches_(std::move(batches)),
      special_{tokenizer.pad(), tokenizer.unk(), tokenizer.cls(), tokenizer.sep(), tokenizer.mask()},
      mask_(tokenizer.mask()),
      vocabulary_(tokenizer.vocab_size()),
      options_(options) {
  if (mask_ < 0) fail<ValueError>("MaskedBatches: the tokenizer has no [MASK]");
  const auto share = [](double x) { return x >= 0 && x <= 1; };
  if (!share(options.rate) || !share(options.masked) || !share(options.replaced) ||
      options.masked + options.replaced > 1) {
    fail<ValueError>("MaskedBatches: rate {}, masked {}, replaced {}; expected shares of 1", options.rate,
                     options.masked, options.replaced);
  }
}

std::array<Tensor, 3> MaskedBatches::get(std::int64_t i, const data::Epoch& epoch) const {
  Tensor tokens = std::move(batches_.get(i, epoch)[0]);
  std::int64_t* token = tokens.mutable_data<std::int64_t>();
  std::vector<std::int64_t> places;
  for (std::int64_t place = 0; place < tokens.numel(); ++place) {
    if (std::ranges::find(special_, token[place]) == special_.end()) places.push_back(place);
  }
  // As many of every batch of a shape, so that the shapes that follow are few: of the fewest tokens such texts have.
  const double fewest = static_cast<double>(tokens.size(0) * std::max<std::int64_t>(1, tokens.size(1) - 4));
  const auto wanted = static_cast<std::size_t>(std::max(1.0, options_.rate * fewest));
  const std::size_t count = std::min(wanted, places.size());
  if (count == 0) fail<ValueError>("MaskedBatches: batch {} has nothing but special tokens", i);

  // Another stream than the order of the texts is drawn from.
  const RandomStream random(~epoch.seed, RandomUse::transform, static_cast<std::uint64_t>(epoch.number),
                            static_cast<std::uint64_t>(i));
  std::uint64_t draws = 0;
  Tensor positions = empty({static_cast<std::int64_t>(count)}, Dtype::i64), targets = empty(positions.shape(), Dtype::i64);
  for (std::size_t k = 0; k < count; ++k) {
    std::swap(places[k], places[k + random.below(places.size() - k, draws++)]);
    const std::int64_t place = places[k];
    positions.mutable_data<std::int64_t>()[k] = place;
    targets.mutable_data<std::int64_t>()[k] = token[place];
    const double how = random.uniform(draws++);
    if (how < options_.masked) {
      token[place] = mask_;
    } else if (how < options_.masked + options_.replaced) {
      token[place] = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(vocabulary_), draws++));
    }
  }
  return {std::move(tokens), std::move(positions), std::move(targets)};
}

std::array<Tensor, 3> MaskedBatches::batch(std::span<const std::int64_t> indices, const data::Epoch& epoch) const {
  return get(only(indices), epoch);
}

}  // namespace temper::models
