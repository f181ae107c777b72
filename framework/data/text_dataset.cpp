#include <temper/data/text_dataset.hpp>

#include <algorithm>
#include <limits>

#include <temper/core/random.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::data {

namespace {

constexpr std::int64_t ignored = -100;  // the default of CrossEntropyOptions::ignore_index

std::int32_t narrow(std::int64_t id) {
  if (id < 0 || id > std::numeric_limits<std::int32_t>::max())
    fail<ValueError>("text: token {}, expected 0 or more", id);
  return static_cast<std::int32_t>(id);
}

void check_example(std::int64_t i, std::int64_t size) {
  if (i < 0 || i >= size) fail<ValueError>("text: example {} of {}", i, size);
}

struct Pair {
  Tensor inputs, targets;
};

Pair empty_pair(std::span<const std::int64_t> indices, std::int64_t length) {
  const Shape shape{static_cast<std::int64_t>(indices.size()), length};
  return {empty(shape, Dtype::i64), empty(shape, Dtype::i64)};
}

std::array<Tensor, 2> without_batch_axis(const std::array<Tensor, 2>& batch) {
  const Shape shape = batch[0].shape().without_axis(0);
  return {batch[0].view(shape), batch[1].view(shape)};
}

}  // namespace

TextDataset::TextDataset(std::span<const std::int64_t> ids, const TextDatasetOptions& options)
    : length_(options.length) {
  const auto count = static_cast<std::int64_t>(ids.size());
  if (length_ < 1) fail<ValueError>("text: length {}, expected at least 1", length_);
  if (count <= length_)
    fail<ValueError>("text: {} tokens, expected at least {} for length {}", count, length_ + 1, length_);
  auto narrowed = std::make_shared<std::vector<std::int32_t>>(ids.size());
  std::ranges::transform(ids, narrowed->begin(), narrow);
  ids_ = std::move(narrowed);
  // One piece fewer than fit leaves every beginning below `length` free.
  size_ = std::max<std::int64_t>((count - length_) / length_, 1);
}

std::array<Tensor, 2> TextDataset::get(std::int64_t i, const Epoch& epoch) const {
  return without_batch_axis(batch({&i, 1}, epoch));
}

std::array<Tensor, 2> TextDataset::batch(std::span<const std::int64_t> indices, const Epoch& epoch) const {
  const auto beginnings = std::min(static_cast<std::int64_t>(ids_->size()) - size_ * length_, length_);
  const temper::detail::RandomStream random(epoch.seed, temper::detail::RandomUse::transform,
                                            static_cast<std::uint64_t>(epoch.number));
  const auto begin = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(beginnings), 0));
  auto [inputs, targets] = empty_pair(indices, length_);
  std::int64_t* input = inputs.mutable_data<std::int64_t>();
  std::int64_t* target = targets.mutable_data<std::int64_t>();
  for (const std::int64_t i : indices) {
    check_example(i, size_);
    const std::int32_t* piece = ids_->data() + begin + i * length_;
    input = std::copy_n(piece, length_, input);
    target = std::copy_n(piece + 1, length_, target);
  }
  return {std::move(inputs), std::move(targets)};
}

TextEvaluation::TextEvaluation(std::span<const std::int64_t> ids, const TextEvaluationOptions& options)
    : length_(options.length), stride_(options.stride == 0 ? options.length : options.stride) {
  if (length_ < 1) fail<ValueError>("text: length {}, expected at least 1", length_);
  if (stride_ < 1 || stride_ > length_) {
    fail<ValueError>("text: stride {}, expected 0 to the length {}", options.stride, length_);
  }
  auto narrowed = std::make_shared<std::vector<std::int32_t>>();
  narrowed->reserve(ids.size() + 1);
  if (options.before >= 0) narrowed->push_back(narrow(options.before));
  std::ranges::transform(ids, std::back_inserter(*narrowed), narrow);
  ids_ = std::move(narrowed);
  if (ids_->size() < 2) fail<ValueError>("text: {} tokens, none to score", ids.size());
  size_ = 1 + (std::max<std::int64_t>(scored() - length_, 0) + stride_ - 1) / stride_;
}

std::int64_t TextEvaluation::scored() const { return static_cast<std::int64_t>(ids_->size()) - 1; }

std::array<Tensor, 2> TextEvaluation::get(std::int64_t i) const { return without_batch_axis(batch({&i, 1})); }

std::array<Tensor, 2> TextEvaluation::batch(std::span<const std::int64_t> indices) const {
  auto [inputs, targets] = empty_pair(indices, length_);
  std::int64_t* input = inputs.mutable_data<std::int64_t>();
  std::int64_t* target = targets.mutable_data<std::int64_t>();
  for (const std::int64_t i : indices) {
    check_example(i, size_);
    const std::int64_t begin = i * stride_, there = std::min(length_, scored() - begin);
    const std::int64_t scored_before = i == 0 ? 0 : length_ - stride_;
    const std::int32_t* piece = ids_->data() + begin;
    input = std::fill_n(std::copy_n(piece, there, input), length_ - there, 0);
    target = std::fill_n(target, scored_before, ignored);
    target = std::copy(piece + 1 + scored_before, piece + 1 + there, target);
    target = std::fill_n(target, length_ - there, ignored);
  }
  return {std::move(inputs), std::move(targets)};
}

}  // namespace temper::data
