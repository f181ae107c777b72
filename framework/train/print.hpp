#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include <temper/core/dtype.hpp>
#include <temper/core/shape.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

namespace detail {

/// A type-erased printable value, so that this header needs no formatting library.
class PrintArgument {
 public:
  PrintArgument(bool value) : value_(value) {}
  template <std::signed_integral T>
  PrintArgument(T value) : value_(static_cast<std::int64_t>(value)) {}
  template <std::unsigned_integral T>
  PrintArgument(T value) : value_(static_cast<std::uint64_t>(value)) {}
  template <std::floating_point T>
  PrintArgument(T value) : value_(static_cast<double>(value)) {}
  PrintArgument(const char* value) : value_(std::string(value)) {}
  PrintArgument(std::string_view value) : value_(std::string(value)) {}
  PrintArgument(const std::string& value) : value_(value) {}
  PrintArgument(const Shape& value) : value_(to_string(value)) {}
  PrintArgument(Dtype value) : value_(to_string(value)) {}
  PrintArgument(const Tensor& value) : value_(to_string(value)) {}

  const auto& value() const { return value_; }

 private:
  std::variant<bool, std::int64_t, std::uint64_t, double, std::string> value_;
};

std::string format_erased(std::string_view text, std::initializer_list<PrintArgument> arguments);
void print_line(std::string_view line);

}  // namespace detail

/// The text that print() would print: formatted("{:.9g}", 0.1f).
template <class... Args>
std::string formatted(std::string_view text, const Args&... args) {
  static_assert((std::constructible_from<detail::PrintArgument, const Args&> && ...),
                "formatted takes numbers, strings, shapes, dtypes and tensors");
  return detail::format_erased(text, {detail::PrintArgument(args)...});
}

/// Writes a line to standard output: print("test accuracy {:.4f}", accuracy). Fields are those of std::format; numbers,
/// strings, shapes, dtypes and tensors can be printed. Throws: ValueError when fields and arguments do not fit.
template <class... Args>
void print(std::string_view text, const Args&... args) {
  static_assert((std::constructible_from<detail::PrintArgument, const Args&> && ...),
                "print takes numbers, strings, shapes, dtypes and tensors");
  detail::print_line(detail::format_erased(text, {detail::PrintArgument(args)...}));
}

}  // namespace temper
