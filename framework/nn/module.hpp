#pragma once

#include <concepts>
#include <string>
#include <string_view>
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

/// A part that is a module itself, with its full name.
struct Child {
  std::string name;
  const Module* module;
};

/// What Module::members() tells about a module's parts. Names of nested parts are joined with dots.
class Members {
 public:
  void operator()(std::string_view name, const Parameter& parameter);
  void operator()(std::string_view name, const Tensor& buffer);
  void operator()(std::string_view name, const Module& child);
  /// "blocks.0", "blocks.1", ... for a vector of modules.
  template <std::derived_from<Module> M>
  void operator()(std::string_view name, const std::vector<M>& children) {
    for (std::size_t i = 0; i < children.size(); ++i) {
      (*this)(std::string(name) + "." + std::to_string(i), children[i]);
    }
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
/// Modules can be moved, not copied: a copy would share its parameters with the original without saying so.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;

  /// Names the parameters, buffers and child modules. A part left out is neither trained nor saved.
  virtual void members(Members& members) const;
  /// What the summary calls it, options included: "Linear(784, 128)".
  virtual std::string description() const;

  /// All parameters, children's included, with their full names ("encoder.0.weight"). A parameter that occurs several
  /// times (tied weights) is listed once, under its first name. Throws: ValueError when two parts have one name.
  std::vector<Parameter> parameters() const;
  /// All buffers, with their full names.
  std::vector<Buffer> buffers() const;
  /// All child modules, at any depth, outer ones first.
  std::vector<Child> children() const;

  /// Freezes or unfreezes all parameters: frozen ones get no gradients and do not move.
  void freeze() const;
  void unfreeze() const;
};

/// A module that makes one tensor from one.
class Layer : public Module {
 public:
  Tensor operator()(const Tensor& x) const;

 protected:
  virtual Tensor forward(const Tensor& x) const = 0;
};

}  // namespace temper::nn
