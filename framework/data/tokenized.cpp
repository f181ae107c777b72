#include <temper/data/tokenized.hpp>

#include <algorithm>

#include "framework/core/format_internal.hpp"

namespace temper::data {

struct Tokenized::Storage {
  std::vector<std::int32_t> ids;    // of all texts
  std::vector<std::size_t> begins;  // of each text in ids, and the end of the last
  std::vector<std::int64_t> labels;
  std::int64_t pad, max_length, pad_multiple;

  std::span<const std::int32_t> text(std::int64_t i) const {
    if (i < 0 || i >= static_cast<std::int64_t>(labels.size()))
      fail<ValueError>("texts: text {} of {}", i, labels.size());
    const auto at = static_cast<std::size_t>(i);
    return std::span(ids).subspan(begins[at], begins[at + 1] - begins[at]);
  }
};

Tokenized::Tokenized(std::span<const std::string> texts, std::span<const std::int64_t> labels,
                     const Tokenizer& tokenizer, const TokenizedOptions& options) {
  if (texts.size() != labels.size()) fail<ShapeError>("texts: {} texts and {} labels", texts.size(), labels.size());
  if (tokenizer.pad() < 0 || tokenizer.cls() < 0 || tokenizer.sep() < 0) {
    fail<ValueError>("texts: the tokenizer needs [PAD], [CLS] and [SEP]; they are {}, {} and {}", tokenizer.pad(),
                     tokenizer.cls(), tokenizer.sep());
  }
  if (options.max_length < 3 || options.pad_multiple < 1) {
    fail<ValueError>("texts: max_length {} and pad_multiple {}, expected at least 3 and 1", options.max_length,
                     options.pad_multiple);
  }
  auto storage = std::make_shared<Storage>();
  storage->labels.assign(labels.begin(), labels.end());
  storage->pad = tokenizer.pad();
  storage->max_length = options.max_length;
  storage->pad_multiple = options.pad_multiple;
  storage->begins.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    std::vector<std::int64_t> ids = tokenizer.encode(text);
    ids.resize(std::min(ids.size(), static_cast<std::size_t>(options.max_length - 2)));
    storage->begins.push_back(storage->ids.size());
    storage->ids.push_back(static_cast<std::int32_t>(tokenizer.cls()));
    for (const std::int64_t id : ids) storage->ids.push_back(static_cast<std::int32_t>(id));
    storage->ids.push_back(static_cast<std::int32_t>(tokenizer.sep()));
  }
  storage->begins.push_back(storage->ids.size());
  storage_ = std::move(storage);
}

std::int64_t Tokenized::size() const { return static_cast<std::int64_t>(storage_->labels.size()); }

std::vector<std::int64_t> Tokenized::lengths() const {
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < size(); ++i) lengths.push_back(std::ssize(storage_->text(i)));
  return lengths;
}

std::array<Tensor, 2> Tokenized::get(std::int64_t i) const {
  const std::span<const std::int32_t> text = storage_->text(i);
  Tensor ids = empty({static_cast<std::int64_t>(text.size())}, Dtype::i64), label = empty({}, Dtype::i64);
  std::ranges::copy(text, ids.mutable_data<std::int64_t>());
  *label.mutable_data<std::int64_t>() = storage_->labels[static_cast<std::size_t>(i)];
  return {std::move(ids), std::move(label)};
}

std::array<Tensor, 2> Tokenized::batch(std::span<const std::int64_t> indices) const {
  const auto count = static_cast<std::int64_t>(indices.size());
  std::int64_t longest = 0;
  for (const std::int64_t i : indices) longest = std::max(longest, static_cast<std::int64_t>(storage_->text(i).size()));
  const std::int64_t multiple = storage_->pad_multiple;
  longest = std::min((longest + multiple - 1) / multiple * multiple, storage_->max_length);
  Tensor ids = empty({count, longest}, Dtype::i64), labels = empty({count}, Dtype::i64);
  std::int64_t* row = ids.mutable_data<std::int64_t>();
  std::int64_t* label = labels.mutable_data<std::int64_t>();
  for (const std::int64_t i : indices) {
    std::fill(std::ranges::copy(storage_->text(i), row).out, row + longest, storage_->pad);
    row += longest;
    *label++ = storage_->labels[static_cast<std::size_t>(i)];
  }
  return {std::move(ids), std::move(labels)};
}

}  // namespace temper::data
