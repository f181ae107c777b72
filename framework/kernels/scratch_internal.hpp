#pragma once

#include <temper/core/buffer.hpp>

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Uninitialized memory for `count` numbers that live as long as it does.
template <class T>
class Scratch {
 public:
  Scratch() = default;  ///< none: data() is null
  explicit Scratch(Index count) : buffer_(static_cast<std::size_t>(count) * sizeof(T)) {}

  T* data() const { return buffer_ ? reinterpret_cast<T*>(buffer_.data()) : nullptr; }
  T& operator[](Index i) const { return data()[i]; }
  /// Row number `row` of a matrix with rows of `width`.
  T* row(Index row, Index width) const { return data() + row * width; }

 private:
  detail::Buffer buffer_;
};

}  // namespace temper::kernels
