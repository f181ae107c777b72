#include <type_traits>

#include "framework/tensor/bytes_internal.hpp"

namespace temper::detail {

namespace {

template <class Visit>
auto with_element_type(Dtype dtype, Visit visit) {
  switch (dtype) {
    case Dtype::f32: return visit(std::type_identity<float>());
    case Dtype::bf16: return visit(std::type_identity<BFloat16>());
    case Dtype::i64: return visit(std::type_identity<std::int64_t>());
    case Dtype::boolean: break;
  }
  return visit(std::type_identity<bool>());
}

}  // namespace

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return with_element_type(tensor.dtype(),
                           [&]<class T>(std::type_identity<T>) { return std::as_bytes(tensor.values<T>()); });
}

std::span<std::byte> mutable_bytes_of(Tensor& tensor) {
  return with_element_type(tensor.dtype(), [&]<class T>(std::type_identity<T>) {
    return std::as_writable_bytes(tensor.mutable_values<T>());
  });
}

}  // namespace temper::detail
