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

std::int64_t single(std::span<const std::int64_t> indices) {
  if (indices.size() != 1)
    fail<ValueError>("TextBatches: {} batches at once, expected a batch size of 1", indices.size());
  return indices.front();
}

bool is_fraction(double x) { return x >= 0 && x <= 1; }

/// The random numbers of batch i, for everything but the order of the texts.
RandomStream stream_of(const data::Epoch& epoch, std::int64_t i) {
  return RandomStream(~epoch.seed, RandomUse::transform, static_cast<std::uint64_t>(epoch.number),
                      static_cast<std::uint64_t>(i));
}

}  // namespace

SpecialTokens::SpecialTokens(const data::Tokenizer& tokenizer)
    : all{tokenizer.pad(), tokenizer.unk(), tokenizer.cls(), tokenizer.sep(), tokenizer.mask()},
      mask(tokenizer.mask()) {
  if (mask < 0) fail<ValueError>("TextBatches: the tokenizer has no [MASK]");
}

struct TextBatches::Storage {
  using Order = std::shared_ptr<const std::vector<std::int64_t>>;

  Storage(data::Tokenized its_texts, SpecialTokens its_special, const TextBatchesOptions& its_options)
      : texts(std::move(its_texts)), special(its_special), options(its_options) {}

  data::Tokenized texts;
  SpecialTokens special;
  TextBatchesOptions options;
  std::vector<std::int64_t> lengths;

  std::mutex mutex;  // guards the members below
  data::Epoch epoch{.number = 0};
  Order order;  // of `epoch`, the last one requested

  /// The texts sorted by length; texts of equal length are shuffled every epoch. Batch i takes the i-th batch_size of
  /// it.
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

TextBatches::TextBatches(data::Tokenized texts, const data::Tokenizer& tokenizer, const TextBatchesOptions& options)
    : storage_(std::make_shared<Storage>(std::move(texts), SpecialTokens(tokenizer), options)) {
  if (options.batch_size < 1) fail<ValueError>("TextBatches: batch size {}, expected at least 1", options.batch_size);
  if (!is_fraction(options.word_dropout)) {
    fail<ValueError>("TextBatches: word_dropout {}, expected 0 to 1", options.word_dropout);
  }
  const std::int64_t count = storage_->texts.size();
  storage_->lengths.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) storage_->lengths.push_back(storage_->texts.get(i)[0].numel());
}

std::int64_t TextBatches::size() const {
  const std::int64_t batch_size = storage_->options.batch_size;
  return (storage_->texts.size() + batch_size - 1) / batch_size;
}

std::array<Tensor, 2> TextBatches::get(std::int64_t i, const data::Epoch& epoch) const {
  if (i < 0 || i >= size()) fail<ValueError>("TextBatches: batch {} of {}", i, size());
  const auto& [batch_size, word_dropout] = storage_->options;
  const auto order = storage_->order_of(epoch);
  const std::int64_t first = i * batch_size, count = std::min(batch_size, storage_->texts.size() - first);
  auto fields = storage_->texts.batch(
      std::span(*order).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
  if (word_dropout == 0.0) return fields;
  const RandomStream random = stream_of(epoch, i);
  std::uint64_t draws = 0;
  for (std::int64_t& token : fields[0].mutable_values<std::int64_t>()) {
    if (!storage_->special.contains(token) && random.uniform(draws++) < word_dropout) token = storage_->special.mask;
  }
  return fields;
}

std::array<Tensor, 2> TextBatches::batch(std::span<const std::int64_t> indices, const data::Epoch& epoch) const {
  return get(single(indices), epoch);
}

MaskedBatches::MaskedBatches(TextBatches batches, const data::Tokenizer& tokenizer, const MaskingOptions& options)
    : batches_(std::move(batches)), special_(tokenizer), vocabulary_(tokenizer.vocab_size()), options_(options) {
  if (!is_fraction(options.rate) || !is_fraction(options.masked) || !is_fraction(options.replaced) ||
      options.masked + options.replaced > 1) {
    fail<ValueError>("MaskedBatches: rate {}, masked {}, replaced {}; expected shares of 1", options.rate,
                     options.masked, options.replaced);
  }
}

std::array<Tensor, 3> MaskedBatches::get(std::int64_t i, const data::Epoch& epoch) const {
  Tensor tokens = std::move(batches_.get(i, epoch)[0]);
  std::int64_t* token = tokens.mutable_data<std::int64_t>();
  std::vector<std::int64_t> maskable;
  for (std::int64_t t = 0; t < tokens.numel(); ++t) {
    if (!special_.contains(token[t])) maskable.push_back(t);
  }
  // A function of the batch's shape alone, so that the model computes with few different shapes: with the smallest
  // number of ordinary tokens that texts of this padded length have.
  const double fewest = static_cast<double>(tokens.size(0) * std::max<std::int64_t>(1, tokens.size(1) - 4));
  const auto wanted = static_cast<std::size_t>(std::max(1.0, options_.rate * fewest));
  const std::size_t count = std::min(wanted, maskable.size());
  if (count == 0) fail<ValueError>("MaskedBatches: batch {} has nothing but special tokens", i);

  const RandomStream random = stream_of(epoch, i);
  std::uint64_t draws = 0;
  Tensor positions = empty({static_cast<std::int64_t>(count)}, Dtype::i64),
         targets = empty(positions.shape(), Dtype::i64);
  for (std::size_t k = 0; k < count; ++k) {
    std::swap(maskable[k], maskable[k + random.below(maskable.size() - k, draws++)]);
    const std::int64_t position = maskable[k];
    positions.mutable_data<std::int64_t>()[k] = position;
    targets.mutable_data<std::int64_t>()[k] = token[position];
    const double how = random.uniform(draws++);
    if (how < options_.masked) {
      token[position] = special_.mask;
    } else if (how < options_.masked + options_.replaced) {
      token[position] = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(vocabulary_), draws++));
    }
  }
  return {std::move(tokens), std::move(positions), std::move(targets)};
}

std::array<Tensor, 3> MaskedBatches::batch(std::span<const std::int64_t> indices, const data::Epoch& epoch) const {
  return get(single(indices), epoch);
}

}  // namespace temper::models
