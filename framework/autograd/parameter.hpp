#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <temper/autograd/row_gradient.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

/// What a parameter is for. Weight decay goes by it: weights and embeddings decay, biases and norm gains do not.
enum class Role { weight, bias, norm_gain, embedding };

/// "weight", "bias", "norm gain", "embedding"
std::string to_string(Role role);

namespace detail {

/// Updates of single rows that an optimizer puts off until somebody reads the row.
class Owed {
 public:
  virtual ~Owed() = default;
  /// Catches up on these rows; each may be named several times.
  virtual void pay(std::span<const std::int64_t> rows) = 0;
  virtual void pay_all() = 0;
};

/// What the handles of one parameter share.
class ParameterState {
 public:
  explicit ParameterState(Role its_role) : role(its_role) {}
  ParameterState(const ParameterState&) = delete;
  ParameterState& operator=(const ParameterState&) = delete;

  Tensor value;      // its body knows this parameter, see parameter_of
  Tensor gradient;   // undefined when there is none
  RowGradient rows;  // of a sparse one, instead of `gradient`
  std::shared_ptr<Owed> owed;
  Role role;
  bool frozen = false;
  bool sparse = false;
  std::mutex gathering;  // held while a tape adds to `gradient`: several threads may share the parameter
};

}  // namespace detail

/// A tensor that training changes, with its gradient, which the next optimizer step uses up. A shared handle: copies
/// are the same parameter. The name belongs to the handle, because one parameter is "weight" to its layer and
/// "encoder.0.weight" to the model.
class Parameter {
 public:
  Parameter() = default;
  Parameter(Tensor value, Role role);  ///< shares the memory of `value`

  bool defined() const { return state_ != nullptr; }
  /// Throws, as all below but name, same and id: ValueError when undefined.
  const Tensor& value() const {
    if (state().owed != nullptr) state_->owed->pay_all();
    return state_->value;
  }
  operator const Tensor&() const { return value(); }
  /// The value as it is in memory. Only of a sparse parameter with Rows::exact it may differ from value(): rows may
  /// wait for updates. embedding() and embedding_bag() catch up on those they read.
  const Tensor& stored() const { return state().value; }
  const Shape& shape() const { return state().value.shape(); }
  Role role() const { return state().role; }

  const std::string& name() const { return name_; }
  /// A handle of the same parameter under another name.
  Parameter named(std::string name) const;

  /// Replaces the value for all handles. Its dtype may differ, but optimizers made before accept the new value only if
  /// it has the old dtype. Throws: ShapeError unless it is f32 or bf16, of the parameter's shape.
  void set_value(const Tensor& value);

  /// Whether a gradient waits for a step.
  bool has_gradient() const { return state().gradient.defined() || state().rows.defined(); }
  /// The sum of the gradients since the last step, in f32; undefined when there is none. Throws: ValueError when the
  /// parameter is sparse, see row_gradient().
  const Tensor& gradient() const {
    if (state().sparse) throw_sparse();
    return state_->gradient;
  }
  /// Replaces the gradient. Throws: ShapeError unless it is f32 of the parameter's shape; ValueError when the parameter
  /// is sparse.
  void set_gradient(Tensor gradient);
  void discard_gradient() {
    state().gradient = Tensor();
    state_->rows = RowGradient();
  }

  /// From now on the gradient is kept as rows: for tables [V, D] of which a step uses few. embedding() and
  /// embedding_bag() give such gradients; a backward through another operation that uses the parameter throws, as no
  /// dense gradient is ever made. Optimizers update the rows that have a gradient. Throws: ShapeError for another rank;
  /// ValueError while a gradient waits.
  void make_sparse();
  bool sparse() const { return state().sparse; }
  /// As gradient(), of a sparse parameter. Undefined for others.
  const RowGradient& row_gradient() const { return state().rows; }
  /// Replaces the gradient of a sparse parameter. Throws: ValueError when the parameter is not sparse, and unless the
  /// rows ascend and exist; ShapeError unless they are i64 [n] with f32 [n, D].
  void set_row_gradient(RowGradient gradient);
  /// For optimizers: who is asked to catch up before the value is read; null for nobody. Throws: ValueError when
  /// somebody else is already.
  void owe(std::shared_ptr<detail::Owed> owed);

  /// A frozen parameter gets no gradient, so no optimizer changes it: operations take it as a constant, and a backward
  /// after freeze() skips it even where the operation was recorded before.
  void freeze();
  void unfreeze() { state().frozen = false; }
  bool frozen() const { return state().frozen; }

  /// Whether both are handles of one parameter (tied weights).
  bool same(const Parameter& other) const { return state_ == other.state_; }
  /// An address that tells parameters apart.
  const void* id() const { return state_.get(); }

 private:
  detail::ParameterState& state() const {
    if (state_ == nullptr) throw_undefined();
    return *state_;
  }
  [[noreturn]] static void throw_undefined();
  [[noreturn]] void throw_sparse() const;

  std::shared_ptr<detail::ParameterState> state_;
  std::string name_;
};

/// Drops the gradients that wait for a step.
void discard_gradients(const std::vector<Parameter>& parameters);

}  // namespace temper
