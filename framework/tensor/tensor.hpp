#pragma once

#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>

#include <temper/core/buffer.hpp>
#include <temper/core/dtype.hpp>
#include <temper/core/shape.hpp>

namespace temper {

class Tensor;

namespace detail {

class ParameterState;

/// A number larger than all returned before, on any thread.
std::uint64_t next_tensor_id();

/// What the handles of one tensor share. Only `references` changes once it is made, so threads may share tensors.
struct TensorBody {
  std::atomic<std::uint32_t> references{1};
  Dtype dtype;
  Shape shape;
  Buffer buffer;
  std::size_t offset = 0;                        // bytes
  std::weak_ptr<ParameterState> parameter = {};  // the parameter whose value this is, if any
  std::uint64_t id = next_tensor_id();

  static void* operator new(std::size_t bytes);
  static void operator delete(void* body) noexcept;
};

// As Tensor::view, rows and clone, but nothing is recorded, so that no gradient flows through the result.
Tensor alias(const Tensor& x, const Shape& shape);
Tensor alias_rows(const Tensor& x, std::int64_t begin, std::int64_t end);
Tensor copy(const Tensor& x);
/// `x` as the value of a parameter.
Tensor alias_for(const Tensor& x, const std::shared_ptr<ParameterState>& parameter);
/// The parameter whose value x is; null when there is none, or it no longer exists.
std::shared_ptr<ParameterState> parameter_of(const Tensor& x);

}  // namespace detail

template <class T>
class HeldValues;

/// A dense, row-major array of numbers. A Tensor is a shared handle: copies refer to the same elements. The default
/// one is undefined and refers to nothing.
///
/// Images are [N, H, W, C]. Views (of the leading axis, or of another shape) share memory; nothing else does.
class Tensor {
 public:
  Tensor() noexcept = default;
  Tensor(const Tensor& other) noexcept : body_(other.body_) {
    if (body_) body_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Tensor(Tensor&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(body_, other.body_);
    return *this;
  }
  ~Tensor() {
    if (body_ && body_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete body_;
  }

  bool defined() const { return body_ != nullptr; }
  /// Throws, as every accessor below: ValueError when undefined.
  const Shape& shape() const& { return body().shape; }
  Shape shape() const&& { return body().shape; }
  Dtype dtype() const { return body().dtype; }
  int rank() const { return shape().rank(); }
  std::int64_t size(int axis) const { return shape()[axis]; }
  std::int64_t numel() const { return shape().numel(); }

  /// The elements, for reading. T is float, BFloat16, std::int64_t or bool.
  /// Throws: ShapeError when T is not the tensor's dtype.
  template <class T>
  const T* data() const {
    return static_cast<const T*>(raw(dtype_of<T>));
  }
  template <class T>
  std::span<const T> values() const& {
    return {data<T>(), static_cast<std::size_t>(numel())};
  }
  /// Those of a temporary, which lives as long as they: for (float y : softmax(x).values<float>()) is right.
  template <class T>
  HeldValues<T> values() const&& {
    return HeldValues<T>(*this);
  }

  /// The elements, for writing. Counts as a change in place: a backward that needs the old values throws.
  template <class T>
  T* mutable_data() {
    T* elements = static_cast<T*>(raw(dtype_of<T>));
    body().buffer.bump_version();
    return elements;
  }
  template <class T>
  std::span<T> mutable_values() {
    return {mutable_data<T>(), static_cast<std::size_t>(numel())};
  }

  /// The only element of a tensor of one. Throws: ShapeError for any other number of elements.
  double item() const;

  // Gradients flow through these three, as through operations; stop_gradient() is what cuts them. They are defined in
  // autograd/ops/view.cpp.

  /// The same memory under another shape of as many elements.
  Tensor view(const Shape& shape) const;
  /// Rows begin to end of the first axis, sharing memory.
  Tensor rows(std::int64_t begin, std::int64_t end) const;
  /// A copy in memory of its own.
  Tensor clone() const;
  /// Overwrites the elements with those of `source`, of the same shape and dtype. This is not differentiable.
  /// Throws: ShapeError for another shape or dtype; TapeError when a tape records and tracks the source, whose gradient
  /// would be lost: pass stop_gradient(source) then.
  void copy_from(const Tensor& source);
  /// Sets every element of an f32 tensor.
  void fill(float value);

  /// How often the memory was changed in place, whichever of its rows, views and handles did it.
  std::uint32_t version() const { return body().buffer.version(); }
  /// Whether no other handle, view or saved copy shares the memory.
  bool unique() const { return body().references.load(std::memory_order_acquire) == 1 && body().buffer.unique(); }
  /// Whether both are handles of one tensor.
  bool same(const Tensor& other) const { return body_ == other.body_; }
  /// A number that no other tensor has or had; tensors made later have larger ones. Handles of one tensor have the same
  /// number, a view has its own.
  std::uint64_t id() const { return body().id; }

 private:
  friend Tensor empty(const Shape& shape, Dtype dtype);
  friend Tensor zeros(const Shape& shape, Dtype dtype);
  friend Tensor detail::alias(const Tensor& x, const Shape& shape);
  friend Tensor detail::alias_rows(const Tensor& x, std::int64_t begin, std::int64_t end);
  friend Tensor detail::copy(const Tensor& x);
  friend Tensor detail::alias_for(const Tensor& x, const std::shared_ptr<detail::ParameterState>& parameter);
  friend std::shared_ptr<detail::ParameterState> detail::parameter_of(const Tensor& x);

  void overwrite(const Tensor& source);
  detail::TensorBody& body() const {
    if (body_ == nullptr) throw_undefined();
    return *body_;
  }
  [[noreturn]] static void throw_undefined();
  void* raw(Dtype wanted) const;

  detail::TensorBody* body_ = nullptr;
};

/// The elements of a tensor, and a handle that keeps it alive.
template <class T>
class HeldValues : public std::span<const T> {
 public:
  explicit HeldValues(Tensor tensor) : std::span<const T>(tensor.values<T>()), tensor_(std::move(tensor)) {}

 private:
  Tensor tensor_;
};

/// Uninitialized elements.
/// Throws, as all below: ShapeError when the elements have more than 2^63 - 1 bytes; OutOfMemoryError.
Tensor empty(const Shape& shape, Dtype dtype = Dtype::f32);
Tensor zeros(const Shape& shape, Dtype dtype = Dtype::f32);
Tensor ones(const Shape& shape);
Tensor full(const Shape& shape, float value);
/// One f32 element, shape [].
Tensor scalar(float value);
/// f32 or i64 tensors of given elements. Throws: ShapeError when their number is not that of the shape.
Tensor from(std::span<const float> values, const Shape& shape);
Tensor from(std::span<const std::int64_t> values, const Shape& shape);
Tensor from(std::initializer_list<float> values, const Shape& shape);
/// The same from other types: double becomes f32, int becomes i64, bool stays bool.
Tensor from(std::span<const double> values, const Shape& shape);
Tensor from(std::span<const int> values, const Shape& shape);
Tensor from(std::span<const bool> values, const Shape& shape);
/// i64 tensor of shape [n].
Tensor indices(std::initializer_list<std::int64_t> values);
/// 0, 1, ... count - 1 as i64, shape [count].
Tensor arange(std::int64_t count);
/// f32 tensors of random numbers, uniform in [low, high) or normal, from the generator that manual_seed seeds.
Tensor uniform(const Shape& shape, float low = 0.0f, float high = 1.0f);
Tensor normal(const Shape& shape, float mean = 0.0f, float deviation = 1.0f);

/// Elements in nested brackets, long axes abridged, then dtype and shape.
std::string to_string(const Tensor& tensor);
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace temper
