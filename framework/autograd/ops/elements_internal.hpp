#pragma once

// The elements of a tensor of any dtype, for what moves them without looking at them.

#include <temper/tensor/tensor.hpp>

namespace temper::detail {

inline const void* bytes_of(const Tensor& x) {
  switch (x.dtype()) {
    case Dtype::f32: return x.data<float>();
    case Dtype::bf16: return x.data<BFloat16>();
    case Dtype::i64: return x.data<std::int64_t>();
    case Dtype::boolean: break;
  }
  return x.data<bool>();
}

inline void* mutable_bytes_of(Tensor& x) {
  switch (x.dtype()) {
    case Dtype::f32: return x.mutable_data<float>();
    case Dtype::bf16: return x.mutable_data<BFloat16>();
    case Dtype::i64: return x.mutable_data<std::int64_t>();
    case Dtype::boolean: break;
  }
  return x.mutable_data<bool>();
}

inline std::int64_t element_bytes(const Tensor& x) { return static_cast<std::int64_t>(size_of(x.dtype())); }

}  // namespace temper::detail
