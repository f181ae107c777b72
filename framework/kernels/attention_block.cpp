#include <limits>

#include <temper/core/parallel.hpp>

#include "framework/kernels/attention_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/matmul.hpp"

namespace temper::kernels::attention_detail {

namespace {

template <class T>
const T* operand_of(const ScoreOperand<T>& operand, Index matrix) {
  if (operand.data == nullptr) return nullptr;
  Index offset = 0;
  for (int axis = operand.leading.rank() - 1; axis >= 0; --axis) {
    offset += matrix % operand.leading[axis] * operand.strides[static_cast<std::size_t>(axis)];
    matrix /= operand.leading[axis];
  }
  return operand.data + offset;
}

}  // namespace

Head head_of(const Attention& task, Index sequence, Index head) {
  const Index matrix = sequence * task.heads + head;
  Head result{sequence,
              head,
              task.rows,
              task.keys,
              matrix * task.rows,
              operand_of(task.mask, matrix),
              operand_of(task.bias, matrix)};
  if (task.offsets != nullptr) {
    result.rows = result.keys = task.offsets[sequence + 1] - task.offsets[sequence];
    result.first_row = head * task.offsets[task.sequences] + task.offsets[sequence];
  }
  return result;
}

Index block_count(const Head& head) { return chunk_count(head.rows, block_rows); }

Block block_of(const Attention& task, const Head& head, Index number) {
  const Index begin = number * block_rows, end = std::min(head.rows, begin + block_rows);
  Index first = 0, last = head.keys;
  if (task.causal) last = std::min(last, end);
  if (task.right) last = std::min(last, end + *task.right);
  // Rounded down to dropout's blocks, so that a key has the same random number wherever a block begins.
  if (task.left) first = std::min(last, std::max<Index>(0, begin - *task.left) / dropout_block * dropout_block);
  return {begin, end - begin, first, std::max<Index>(0, last - first)};
}

bool hides(const Attention& task) {
  return task.causal || task.left || task.right || task.mask.data != nullptr || task.bias.data != nullptr;
}

template <class Sum, class T>
void DenseResult<Sum, T>::write() const {
  if (data_ == nullptr || data_ != buffer_.data()) return;
  for (Index row = 0; row < rows_; ++row) {
    if (stride_ != width_) prefetch(first_, row, rows_, stride_, width_);
    if constexpr (std::is_same_v<Sum, T>) {
      std::memcpy(first_ + row * stride_, data_ + row * width_, static_cast<std::size_t>(width_) * sizeof(T));
    } else {
      table_of<T>().from_float(data_ + row * width_, first_ + row * stride_, width_);
    }
  }
}
template class DenseResult<float, float>;
template class DenseResult<float, BFloat16>;
template class DenseResult<BFloat16, BFloat16>;

template <class T>
float block_scores(const Attention& task, const Head& head, const Block& block, const T* q, const T* k, float* p) {
  matmul({.m = block.rows, .n = block.keys, .k = task.width, .transpose_b = true}, q + block.begin * task.width,
         k + block.first_key * task.width, nullptr, p);
  if (head.mask == nullptr && head.bias == nullptr) return task.scale;
  table().affine(p, task.scale, 0.0f, p, block.rows * block.keys);
  for (Index row = 0; row < block.rows; ++row) {
    float* const line = p + row * block.keys;
    if (head.bias != nullptr) {
      const float* const bias =
          head.bias + (block.begin + row) * task.bias.row_stride + block.first_key * task.bias.key_stride;
      const Index stride = task.bias.key_stride;
      table().binary[static_cast<std::size_t>(Binary::add)](line, 1, bias, stride, line, block.keys);
      for (Index key = 0; key < block.keys; ++key) {  // a bias of -inf hides a key even if its score is NaN
        if (bias[key * stride] == -std::numeric_limits<float>::infinity()) line[key] = bias[key * stride];
      }
    }
    if (head.mask == nullptr) continue;
    const bool* const visible =
        head.mask + (block.begin + row) * task.mask.row_stride + block.first_key * task.mask.key_stride;
    for (Index key = 0; key < block.keys; ++key) {
      if (!visible[key * task.mask.key_stride]) line[key] = -std::numeric_limits<float>::infinity();
    }
  }
  return 1.0f;
}
template float block_scores(const Attention&, const Head&, const Block&, const float*, const float*, float*);
template float block_scores(const Attention&, const Head&, const Block&, const BFloat16*, const BFloat16*, float*);

}  // namespace temper::kernels::attention_detail
