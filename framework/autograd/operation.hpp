#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <variant>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// What an operation goes by besides the inputs that have gradients, with its name: a number, a list of numbers, or a
/// tensor. Refers to lists and tensors, which must live as long.
class Attribute {
 public:
  /// What an attribute can be.
  using Value = std::variant<std::int64_t, double, std::span<const std::int64_t>, std::span<const int>, const Tensor*>;

  /// A whole number, another number, several whole numbers, or a tensor, which may be undefined.
  template <class T>
  requires std::integral<T> || std::is_enum_v<T> Attribute(const char* its_name, T number)
      : name(its_name), value(static_cast<std::int64_t>(number)) {}
  template <std::floating_point T>
  Attribute(const char* its_name, T number) : name(its_name), value(static_cast<double>(number)) {}
  Attribute(const char* its_name, std::initializer_list<std::int64_t> numbers)
      : name(its_name), value(std::span<const std::int64_t>(numbers.begin(), numbers.size())) {}
  Attribute(const char* its_name, std::span<const std::int64_t> numbers) : name(its_name), value(numbers) {}
  Attribute(const char* its_name, std::span<const int> numbers) : name(its_name), value(numbers) {}
  Attribute(const char* its_name, const Tensor& tensor) : name(its_name), value(&tensor) {}

  const char* name;  ///< a string literal
  Value value;       ///< refers to what the constructor was given
};

/// How record() is told which operation computed a tensor: a name alone, or with attributes, by which an export knows
/// what the operation does: `{"softmax", {{"axis", axis}}}`. Lives as long as the expression it stands in.
class Operation {
 public:
  /// `its_name` must be a string literal.
  Operation(const char* its_name, std::initializer_list<Attribute> its_attributes = {})
      : name(its_name), attributes(its_attributes) {}

  const char* name;                             ///< as the constructor was given it
  std::initializer_list<Attribute> attributes;  ///< the same
};

namespace detail {

/// On how many threads somebody listens to what operations are computed. While it is 0, testing it is all that
/// listening costs an operation.
extern constinit std::atomic<int> listeners;
inline bool listening() { return listeners.load(std::memory_order_relaxed) != 0; }
/// Tells the calling thread's Listener, if there is one.
void tell(const Operation& operation, const Tensor& y, std::span<const Tensor> inputs);

}  // namespace detail

}  // namespace temper
