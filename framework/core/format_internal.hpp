#pragma once

// Error texts. Private: fmt never reaches a public header.

#include <fmt/format.h>

#include "framework/core/dtype.hpp"
#include "framework/core/errors.hpp"
#include "framework/core/shape.hpp"

template <>
struct fmt::formatter<temper::Shape> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const temper::Shape& shape, Context& context) const {
    return fmt::formatter<std::string>::format(temper::to_string(shape), context);
  }
};

template <>
struct fmt::formatter<temper::Dtype> : fmt::formatter<std::string> {
  template <class Context>
  auto format(temper::Dtype dtype, Context& context) const {
    return fmt::formatter<std::string>::format(temper::to_string(dtype), context);
  }
};

namespace temper {

/// Throws an E with a formatted text: fail<ShapeError>("matmul: {} x {}", a, b).
template <class E, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw E(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace temper
