#include <temper/tensor/tensor.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <ostream>

#include <temper/core/parallel.hpp>
#include <temper/core/pool.hpp>
#include <temper/core/random.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/kernels/bfloat16.hpp"

namespace temper {

namespace {

constexpr std::int64_t random_grain = 1 << 14;

/// A tensor of T from values of T, or of a type that converts to it.
template <class T, class Value>
Tensor copied(std::span<const Value> values, const Shape& shape) {
  if (static_cast<std::int64_t>(values.size()) != shape.numel()) {
    fail<ShapeError>("from: {} values for shape {}, which has {} elements", values.size(), shape, shape.numel());
  }
  Tensor tensor = empty(shape, dtype_of<T>);
  std::ranges::transform(values, tensor.mutable_data<T>(), [](Value value) { return static_cast<T>(value); });
  return tensor;
}

/// Bytes that one thread copies or sets at a time: fewer are not worth waking another thread.
constexpr std::int64_t bytes_grain = std::int64_t{1} << 20;

/// Calls body(begin, bytes) for pieces of the tensor's memory, on several threads.
template <class Body>
void for_bytes(const Tensor& tensor, Body body) {
  parallel_for(tensor.numel() * static_cast<std::int64_t>(size_of(tensor.dtype())), bytes_grain,
               [&](std::int64_t begin, std::int64_t end) {
                 body(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
               });
}

/// Memory for a tensor's elements. Throws: ShapeError for more than 2^63 - 1 bytes; OutOfMemoryError.
detail::Buffer allocate_elements(const Shape& shape, Dtype dtype) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(shape.numel(), static_cast<std::int64_t>(size_of(dtype)), &bytes)) {
    fail<ShapeError>("tensor {} {} has more than 2^63 - 1 bytes", dtype, shape);
  }
  try {
    return detail::Buffer(static_cast<std::size_t>(bytes));
  } catch (const OutOfMemoryError& error) {
    fail<OutOfMemoryError>("tensor {} {}: {}", dtype, shape, error.what());
  }
}

template <class Draw>
Tensor generate(const Shape& shape, Draw draw) {
  Tensor tensor = empty(shape);
  const detail::RandomStream stream = detail::next_draw();
  float* elements = tensor.mutable_data<float>();
  parallel_for(shape.numel(), random_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) elements[i] = draw(stream, static_cast<std::uint64_t>(i));
  });
  return tensor;
}

}  // namespace

namespace detail {
std::uint64_t next_tensor_id() {
  static constinit std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

static_assert(sizeof(TensorBody) <= largest_exact_block);
void* TensorBody::operator new(std::size_t bytes) { return pool_allocate(bytes).memory; }
void TensorBody::operator delete(void* body) noexcept { pool_release({body, sizeof(TensorBody)}, sizeof(TensorBody)); }
}  // namespace detail

void Tensor::throw_undefined() { fail<ValueError>("an undefined tensor was used; expected one with elements"); }

void* Tensor::raw(Dtype wanted) const {
  const detail::TensorBody& self = body();
  if (self.dtype != wanted) fail<ShapeError>("tensor {} is {}, read as {}", self.shape, self.dtype, wanted);
  return self.buffer.data() + self.offset;
}

double Tensor::item() const {
  if (numel() != 1) fail<ShapeError>("item: tensor {} has {} elements, expected 1", shape(), numel());
  switch (dtype()) {
    case Dtype::f32: return *data<float>();
    case Dtype::i64: return static_cast<double>(*data<std::int64_t>());
    case Dtype::boolean: return *data<bool>() ? 1.0 : 0.0;
    case Dtype::bf16: break;
  }
  return kernels::widened(*data<BFloat16>());
}

namespace detail {

Tensor alias(const Tensor& x, const Shape& shape) {
  const TensorBody& self = x.body();
  if (shape.numel() != x.numel()) {
    fail<ShapeError>("view: tensor {} has {} elements, shape {} has {}", self.shape, x.numel(), shape, shape.numel());
  }
  Tensor result;
  result.body_ = new TensorBody{.dtype = self.dtype, .shape = shape, .buffer = self.buffer, .offset = self.offset};
  return result;
}

Tensor alias_rows(const Tensor& x, std::int64_t begin, std::int64_t end) {
  const TensorBody& self = x.body();
  if (x.rank() == 0 || begin < 0 || end < begin || end > x.size(0)) {
    fail<ShapeError>("rows: {} to {} of tensor {}", begin, end, self.shape);
  }
  const std::size_t row = static_cast<std::size_t>(self.shape.without_axis(0).numel()) * size_of(self.dtype);
  Tensor result;
  result.body_ = new TensorBody{.dtype = self.dtype,
                                .shape = self.shape.resized(0, end - begin),
                                .buffer = self.buffer,
                                .offset = self.offset + static_cast<std::size_t>(begin) * row};
  return result;
}

Tensor alias_for(const Tensor& x, const std::shared_ptr<ParameterState>& parameter) {
  Tensor result = alias(x, x.shape());
  result.body_->parameter = parameter;
  return result;
}

std::shared_ptr<ParameterState> parameter_of(const Tensor& x) { return x.body().parameter.lock(); }

Tensor copy(const Tensor& x) {
  Tensor result = empty(x.shape(), x.dtype());
  std::byte* const to = static_cast<std::byte*>(result.raw(x.dtype()));
  const std::byte* const from = static_cast<const std::byte*>(x.raw(x.dtype()));
  for_bytes(x, [=](std::size_t begin, std::size_t bytes) { std::memcpy(to + begin, from + begin, bytes); });
  return result;
}

}  // namespace detail

void Tensor::overwrite(const Tensor& source) {
  if (!(shape() == source.shape()) || dtype() != source.dtype()) {
    fail<ShapeError>("copy_from: {} {} into {} {}", source.dtype(), source.shape(), dtype(), shape());
  }
  const std::size_t bytes = static_cast<std::size_t>(numel()) * size_of(dtype());
  if (bytes > 0) std::memmove(raw(dtype()), source.raw(dtype()), bytes);
  body().buffer.bump_version();
}

void Tensor::fill(float value) {
  float* const elements = mutable_data<float>();
  parallel_for(numel(), bytes_grain / std::int64_t{sizeof(float)},
               [=](std::int64_t begin, std::int64_t end) { std::fill(elements + begin, elements + end, value); });
}

Tensor empty(const Shape& shape, Dtype dtype) {
  Tensor tensor;
  tensor.body_ = new detail::TensorBody{.dtype = dtype, .shape = shape, .buffer = allocate_elements(shape, dtype)};
  return tensor;
}

Tensor zeros(const Shape& shape, Dtype dtype) {
  Tensor tensor = empty(shape, dtype);
  std::byte* const elements = static_cast<std::byte*>(tensor.raw(dtype));  // a zero of any dtype is all zero bits
  for_bytes(tensor, [=](std::size_t begin, std::size_t bytes) { std::memset(elements + begin, 0, bytes); });
  return tensor;
}

Tensor ones(const Shape& shape) { return full(shape, 1.0f); }

Tensor full(const Shape& shape, float value) {
  Tensor tensor = empty(shape);
  tensor.fill(value);
  return tensor;
}

Tensor scalar(float value) { return full({}, value); }

Tensor from(std::span<const float> values, const Shape& shape) { return copied<float>(values, shape); }
Tensor from(std::span<const std::int64_t> values, const Shape& shape) { return copied<std::int64_t>(values, shape); }
Tensor from(std::initializer_list<float> values, const Shape& shape) {
  return copied<float>(std::span<const float>(values.begin(), values.size()), shape);
}

Tensor from(std::span<const double> values, const Shape& shape) { return copied<float>(values, shape); }
Tensor from(std::span<const int> values, const Shape& shape) { return copied<std::int64_t>(values, shape); }
Tensor from(std::span<const bool> values, const Shape& shape) { return copied<bool>(values, shape); }

Tensor indices(std::initializer_list<std::int64_t> values) {
  return copied<std::int64_t>(std::span<const std::int64_t>(values.begin(), values.size()),
                              {static_cast<std::int64_t>(values.size())});
}

Tensor arange(std::int64_t count) {
  Tensor tensor = empty({count}, Dtype::i64);
  std::int64_t next = 0;
  for (std::int64_t& value : tensor.mutable_values<std::int64_t>()) value = next++;
  return tensor;
}

Tensor uniform(const Shape& shape, float low, float high) {
  if (!(low <= high) || !std::isfinite(low) || !std::isfinite(high)) {
    fail<ValueError>("uniform: from {} to {}, expected finite numbers with low <= high", low, high);
  }
  const float range = high - low, last = std::nextafter(high, low);
  return generate(shape, [=](const detail::RandomStream& stream, std::uint64_t i) {
    const float unit = static_cast<float>(stream(i)[0] >> 8) * 0x1p-24f;  // 24 bits: always below 1
    // A range may be wider than the largest float, and a number just below `high` may be rounded to it.
    const float value = std::isfinite(range) ? low + range * unit : low * (1.0f - unit) + high * unit;
    return std::min(value, last);
  });
}

Tensor normal(const Shape& shape, float mean, float deviation) {
  return generate(shape, [=](const detail::RandomStream& stream, std::uint64_t i) {
    return static_cast<float>(mean + deviation * stream.normal(i));
  });
}

}  // namespace temper
