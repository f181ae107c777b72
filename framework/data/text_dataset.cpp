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

namespace detail {

/// Tokens in memory or in a file.
class TokenText {
 public:
  virtual ~TokenText() = default;
  virtual std::int64_t size() const = 0;
  /// The tokens from `begin` on, all of which are there.
  virtual void copy(std::int64_t begin, std::span<std::int64_t> out) const = 0;
};

namespace {

class InMemory final : public TokenText {
 public:
  /// With `before` in front of them, if it is one.
  explicit InMemory(std::span<const std::int64_t> ids, std::int64_t before = -1) {
    ids_.reserve(ids.size() + 1);
    if (before >= 0) ids_.push_back(narrow(before));
    std::ranges::transform(ids, std::back_inserter(ids_), narrow);
  }
  std::int64_t size() const override { return std::ssize(ids_); }
  void copy(std::int64_t begin, std::span<std::int64_t> out) const override {
    std::copy_n(ids_.data() + begin, out.size(), out.data());
  }

 private:
  std::vector<std::int32_t> ids_;
};

class InFile final : public TokenText {
 public:
  explicit InFile(TokenFile file, std::int64_t before = -1) : file_(std::move(file)), before_(before) {}
  std::int64_t size() const override { return file_.size() + in_front(); }
  void copy(std::int64_t begin, std::span<std::int64_t> out) const override {
    if (begin < in_front() && !out.empty()) {
      out.front() = before_;
      out = out.subspan(1);
      ++begin;
    }
    file_.copy(begin - in_front(), out);
  }

 private:
  std::int64_t in_front() const { return before_ >= 0 ? 1 : 0; }

  TokenFile file_;
  std::int64_t before_;
};

}  // namespace

}  // namespace detail

TextDataset::TextDataset(std::shared_ptr<const detail::TokenText> text, const TextDatasetOptions& options)
    : text_(std::move(text)), length_(options.length) {
  const std::int64_t count = text_->size();
  if (length_ < 1) fail<ValueError>("text: length {}, expected at least 1", length_);
  if (count <= length_) {
    fail<ValueError>("text: {} tokens, expected at least {} for length {}", count, length_ + 1, length_);
  }
  // One piece fewer than fit leaves every beginning below `length` free.
  size_ = std::max<std::int64_t>((count - length_) / length_, 1);
}

TextDataset::TextDataset(std::span<const std::int64_t> ids, const TextDatasetOptions& options)
    : TextDataset(std::make_shared<const detail::InMemory>(ids), options) {}

TextDataset::TextDataset(TokenFile file, const TextDatasetOptions& options)
    : TextDataset(std::make_shared<const detail::InFile>(std::move(file)), options) {}

std::array<Tensor, 2> TextDataset::get(std::int64_t i, const Epoch& epoch) const {
  return without_batch_axis(batch({&i, 1}, epoch));
}

std::array<Tensor, 2> TextDataset::batch(std::span<const std::int64_t> indices, const Epoch& epoch) const {
  const std::int64_t beginnings = std::min(text_->size() - size_ * length_, length_);
  const temper::detail::RandomStream random(epoch.seed, temper::detail::RandomUse::transform,
                                            static_cast<std::uint64_t>(epoch.number));
  const auto begin = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(beginnings), 0));
  auto [inputs, targets] = empty_pair(indices, length_);
  std::span<std::int64_t> input = inputs.mutable_values<std::int64_t>(),
                          target = targets.mutable_values<std::int64_t>();
  const auto length = static_cast<std::size_t>(length_);
  for (const std::int64_t i : indices) {
    check_example(i, size_);
    const std::int64_t piece = begin + i * length_;
    text_->copy(piece, input.first(length));
    text_->copy(piece + 1, target.first(length));
    input = input.subspan(length);
    target = target.subspan(length);
  }
  return {std::move(inputs), std::move(targets)};
}

TextEvaluation::TextEvaluation(std::shared_ptr<const detail::TokenText> text, const TextEvaluationOptions& options)
    : text_(std::move(text)), length_(options.length), stride_(options.stride == 0 ? options.length : options.stride) {
  if (length_ < 1) fail<ValueError>("text: length {}, expected at least 1", length_);
  if (stride_ < 1 || stride_ > length_) {
    fail<ValueError>("text: stride {}, expected 0 to the length {}", options.stride, length_);
  }
  if (text_->size() < 2) {
    fail<ValueError>("text: {} tokens, none to score", text_->size() - (options.before >= 0 ? 1 : 0));
  }
  size_ = 1 + (std::max<std::int64_t>(scored() - length_, 0) + stride_ - 1) / stride_;
}

TextEvaluation::TextEvaluation(std::span<const std::int64_t> ids, const TextEvaluationOptions& options)
    : TextEvaluation(std::make_shared<const detail::InMemory>(ids, options.before), options) {}

TextEvaluation::TextEvaluation(TokenFile file, const TextEvaluationOptions& options)
    : TextEvaluation(std::make_shared<const detail::InFile>(std::move(file), options.before), options) {}

std::int64_t TextEvaluation::scored() const { return text_->size() - 1; }

std::array<Tensor, 2> TextEvaluation::get(std::int64_t i) const { return without_batch_axis(batch({&i, 1})); }

std::array<Tensor, 2> TextEvaluation::batch(std::span<const std::int64_t> indices) const {
  auto [inputs, targets] = empty_pair(indices, length_);
  std::span<std::int64_t> input = inputs.mutable_values<std::int64_t>(),
                          target = targets.mutable_values<std::int64_t>();
  const auto length = static_cast<std::size_t>(length_);
  for (const std::int64_t i : indices) {
    check_example(i, size_);
    const std::int64_t begin = i * stride_;
    const auto there = static_cast<std::size_t>(std::min(length_, scored() - begin));
    const auto scored_before = static_cast<std::size_t>(i == 0 ? 0 : length_ - stride_);
    text_->copy(begin, input.first(there));
    std::ranges::fill(input.subspan(there, length - there), 0);
    text_->copy(begin + 1, target.first(there));
    std::ranges::fill(target.first(scored_before), ignored);
    std::ranges::fill(target.subspan(there, length - there), ignored);
    input = input.subspan(length);
    target = target.subspan(length);
  }
  return {std::move(inputs), std::move(targets)};
}

}  // namespace temper::data
