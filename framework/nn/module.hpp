#pragma once

#include <concepts>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper::nn {

class Module;

/// A tensor that belongs to a module and is saved with it, but is not trained: running statistics.
struct Buffer {
  std::string name;
  Tensor tensor;
};

/// A part of a module that is a module itself, with its full name.
struct Child {
  std::string name;
  const Module* module;
};

namespace detail {

/// std::optional, std::unique_ptr or std::shared_ptr of a module.
template <class T>
concept OptionalModule = requires(const T& part) {
  static_cast<bool>(part);
  requires std::derived_from<std::remove_cvref_t<decltype(*part)>, Module>;
};

template <class T>
inline constexpr bool is_part =
    std::derived_from<T, Module> || OptionalModule<T> || std::same_as<T, Parameter> || std::same_as<T, Tensor>;
template <std::ranges::input_range T>
inline constexpr bool is_part<T> = is_part<std::ranges::range_value_t<T>>;

}  // namespace detail

/// Collects the parts that Module::members() names. Names of nested parts are joined with dots.
class Members {
 public:
  void operator()(std::string_view name, const Parameter& parameter);
  void operator()(std::string_view name, const Tensor& buffer);
  void operator()(std::string_view name, const Module& child);
  /// A std::optional, std::unique_ptr or std::shared_ptr of a module; an empty one is left out.
  template <detail::OptionalModule T>
  void operator()(std::string_view name, const T& child) {
    if (child) (*this)(name, *child);
  }
  /// "blocks.0", "blocks.1", ... for a vector or an array of any of these.
  template <std::ranges::input_range T>
  requires detail::is_part<T>
  void operator()(std::string_view name, const T& parts) {
    std::size_t i = 0;
    for (const auto& part : parts) (*this)(std::string(name) + "." + std::to_string(i++), part);
  }

 private:
  friend class Module;
  std::string joined(std::string_view name) const;

  std::string prefix_;
  std::vector<Parameter> parameters_;
  std::vector<Buffer> buffers_;
  std::vector<Child> children_;
};

/// Something with parameters. A model of your own derives from Module (or from Layer), owns its parts as ordinary
/// members, and names them once:
///
///     class Classifier : public nn::Module {
///      public:
///       Tensor operator()(const Tensor& x) const { return head_(relu(body_(x))); }
///       void members(nn::Members& m) const override { m("body", body_); m("head", head_); }
///
///      private:
///       nn::Linear body_{784, 128}, head_{128, 10};
///     };
///
/// Modules can be moved but not copied, because a copy would silently share its parameters with the original.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;

  /// Names the parameters, buffers and child modules. A part left out is neither trained nor saved; a Run notices.
  virtual void members(Members& members) const;
  /// Type and options for the summary: "Linear(784, 128)".
  virtual std::string description() const;

  /// All parameters, children's included, with their full names ("encoder.0.weight"). A parameter that occurs several
  /// times (tied weights) is listed once, under its first name. Throws: ValueError when two parts have one name.
  std::vector<Parameter> parameters() const;
  /// All buffers, with their full names.
  std::vector<Buffer> buffers() const;
  /// All child modules, at any depth, outer ones first.
  std::vector<Child> children() const;

  /// Freezes or unfreezes all parameters: frozen ones get no gradients and do not change. A batch norm whose weight and
  /// bias are frozen uses its running statistics in training too, and does not update them.
  void freeze() const;
  void unfreeze() const;
};

/// The parts of a module of type M, at any depth, outer ones first; for changing what is not a parameter:
///
///     for (nn::BatchNorm2d* norm : nn::modules<nn::BatchNorm2d>(model)) norm->set_frozen(true);
template <std::derived_from<Module> M>
std::vector<M*> modules(Module& module) {
  std::vector<M*> found;
  for (const Child& child : module.children()) {
    // Module::members() is const and so names const parts; but `module` is not const, so its parts may be changed.
    if (const auto* part = dynamic_cast<const M*>(child.module)) found.push_back(const_cast<M*>(part));
  }
  return found;
}

/// A module from one tensor to one tensor.
class Layer : public Module {
 public:
  Tensor operator()(const Tensor& x) const;

 protected:
  virtual Tensor forward(const Tensor& x) const = 0;
};

}  // namespace temper::nn
