#include <ostream>

#include <temper/tensor/tensor.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/kernels/bfloat16.hpp"

namespace temper {

namespace {

constexpr std::int64_t shown_whole = 8;  // longer axes show their first and last few entries
constexpr std::int64_t shown_edge = 3;

std::string element(const Tensor& tensor, std::int64_t i) {
  switch (tensor.dtype()) {
    case Dtype::f32: return fmt::format("{:.5g}", tensor.data<float>()[i]);
    case Dtype::i64: return fmt::format("{}", tensor.data<std::int64_t>()[i]);
    case Dtype::boolean: return tensor.data<bool>()[i] ? "true" : "false";
    case Dtype::bf16: break;
  }
  return fmt::format("{:.3g}", kernels::widened(tensor.data<BFloat16>()[i]));
}

void append(std::string& out, const Tensor& tensor, int axis, std::int64_t first) {
  if (axis == tensor.rank()) {
    out += element(tensor, first);
    return;
  }
  std::int64_t stride = 1;
  for (int inner = axis + 1; inner < tensor.rank(); ++inner) stride *= tensor.size(inner);
  const bool innermost = axis + 1 == tensor.rank();
  const std::string separator = innermost ? ", " : ",\n" + std::string(static_cast<std::size_t>(axis) + 1, ' ');
  const std::int64_t count = tensor.size(axis);
  out += '[';
  for (std::int64_t i = 0; i < count; ++i) {
    if (i > 0) out += separator;
    if (count > shown_whole && i == shown_edge) {
      out += "..." + separator;
      i = count - shown_edge;
    }
    append(out, tensor, axis + 1, first + i * stride);
  }
  out += ']';
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return "undefined tensor";
  std::string out;
  append(out, tensor, 0, 0);
  return out + fmt::format(" {} {}", tensor.dtype(), tensor.shape());
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << to_string(tensor); }

}  // namespace temper
