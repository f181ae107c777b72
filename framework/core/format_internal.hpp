#pragma once

// Error texts. Private: fmt never reaches a public header.

#include <fmt/format.h>

#include "framework/core/dtype.hpp"
#include "framework/core/errors.hpp"
#include "framework/core/shape.hpp"

// These do not derive from the formatter of strings, and are defined in shape.cpp and dtype.cpp: otherwise every unit
// that formats a shape would instantiate fmt's formatting of strings again.

template <>
struct fmt::formatter<temper::Shape> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  static fmt::appender format(const temper::Shape& shape, fmt::format_context& context);
};

template <>
struct fmt::formatter<temper::Dtype> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  static fmt::appender format(temper::Dtype dtype, fmt::format_context& context);
};

namespace temper {

/// Throws an E with a formatted text: fail<ShapeError>("matmul: {} x {}", a, b).
template <class E, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw E(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace temper
