#include "framework/kernels/isa/functions.hpp"
#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

// Flattened, that is with all that they call inlined: this unit has so many functions that the compiler would else
// leave calls in the loops, which cost the gradients of GELU and SiLU a third.

template <class F, class T>
[[gnu::flatten]] void unary(const T* x, T* y, Index n) {
  transform(x, y, n, [](Vec v) { return F::y(v); });
}

template <class F, class T>
[[gnu::flatten]] void unary_backward(const T* x, const T* dy, T* dx, Index n) {
  transform(x, dy, dx, n, [](Vec v, Vec d) { return F::dx(v, d); });
}

template <class F, class T>
void parametric(const T* x, float a, float b, T* y, Index n) {
  transform(x, y, n, [=](Vec v) { return F::y(v, Vec(a), Vec(b)); });
}

template <class F, class T>
void parametric_backward(const T* x, const T* dy, float a, float b, T* dx, Index n) {
  transform(x, dy, dx, n, [=](Vec v, Vec d) { return F::dx(v, d, Vec(a), Vec(b)); });
}

struct Add {
  static Vec y(Vec a, Vec b) { return a + b; }
};
struct Sub {
  static Vec y(Vec a, Vec b) { return a - b; }
};
struct Mul {
  static Vec y(Vec a, Vec b) { return a * b; }
};
struct Div {
  static Vec y(Vec a, Vec b) { return a / b; }
};
struct Maximum {
  static Vec y(Vec a, Vec b) { return max_or_nan(a, b); }
};
struct Minimum {
  static Vec y(Vec a, Vec b) { return min_or_nan(a, b); }
};
struct Same {
  static Vec y(Vec a, Vec b) { return xsimd::select((a == b) | (xsimd::isnan(a) & xsimd::isnan(b)), one(), zero()); }
};

/// One number in all lanes.
Vec splat(float x) { return Vec(x); }
Vec splat(BFloat16 x) { return bits_as<Vec>(xsimd::batch<std::uint32_t, Arch>(std::uint32_t{x.bits} << 16)); }

template <class F, class T>
void binary(const T* a, Index stride_a, const T* b, Index stride_b, T* y, Index n) {
  if (stride_a != 0 && stride_b != 0) {
    transform(a, b, y, n, [](Vec u, Vec v) { return F::y(u, v); });
  } else if (stride_a != 0) {
    transform(a, y, n, [v = splat(*b)](Vec u) { return F::y(u, v); });
  } else if (stride_b != 0) {
    transform(b, y, n, [u = splat(*a)](Vec v) { return F::y(u, v); });
  } else {
    const Vec value = F::y(splat(*a), splat(*b));
    for_each_vector(n, [=](Index i, Index count) { store_upto(y + i, value, count); });
  }
}

/// An operand of stride 1, or of stride 0: one number for all elements.
template <class T>
struct Operand {
  const T* p;
  bool is_array;
  Operand(const T* first, Index stride) : p(first), is_array(stride != 0) {}
  Vec at(Index i, Index count) const { return is_array ? load_upto(p + i, count) : splat(*p); }
};

struct DivB {
  static Vec d(Vec a, Vec b, Vec dy) { return -dy * (a / b) / b; }
};
// Where a and b are equal, each gets half the gradient.
struct MaximumA {
  static Vec d(Vec a, Vec b, Vec dy) {
    return xsimd::select(a == b, Vec(0.5f) * dy, xsimd::select((a > b) | xsimd::isnan(a), dy, zero()));
  }
};
struct MinimumA {
  static Vec d(Vec a, Vec b, Vec dy) {
    return xsimd::select(a == b, Vec(0.5f) * dy, xsimd::select((a < b) | xsimd::isnan(a), dy, zero()));
  }
};

template <class F, class T>
void binary_backward(const T* a, Index stride_a, const T* b, Index stride_b, const T* dy, Index stride_dy, T* d,
                     Index n) {
  const Operand u(a, stride_a), v(b, stride_b), g(dy, stride_dy);
  for_each_vector(
      n, [=](Index i, Index count) { store_upto(d + i, F::d(u.at(i, count), v.at(i, count), g.at(i, count)), count); });
}

struct Equal {
  static Mask holds(Vec a, Vec b) { return a == b; }
};
struct NotEqual {
  static Mask holds(Vec a, Vec b) { return ~(a == b); }  // not a != b, which is false for NaN on AVX
};
struct Less {
  static Mask holds(Vec a, Vec b) { return a < b; }
};
struct LessEqual {
  static Mask holds(Vec a, Vec b) { return a <= b; }
};

template <class F>
void compare(const float* a, Index stride_a, const float* b, Index stride_b, bool* y, Index n) {
  const Operand u(a, stride_a), v(b, stride_b);
  for_each_vector(n, [=](Index i, Index count) {
    alignas(64) bool lanes[width];
    F::holds(u.at(i, count), v.at(i, count)).store_aligned(lanes);
    for (Index k = 0; k < count; ++k) y[i + k] = lanes[k];
  });
}

void choose(const bool* condition, Index stride_condition, const float* a, Index stride_a, const float* b,
            Index stride_b, float* y, Index n) {
  const Operand u(a, stride_a), v(b, stride_b);
  for_each_vector(n, [=](Index i, Index count) {
    alignas(64) float lanes[width];
    for (Index k = 0; k < width; ++k) lanes[k] = condition[stride_condition * (k < count ? i + k : i)] ? 1.0f : 0.0f;
    store_upto(y + i, xsimd::select(Vec::load_aligned(lanes) > zero(), u.at(i, count), v.at(i, count)), count);
  });
}

template <class Y, class X>
void accumulate(Y* y, const X* x, Index n) {
  transform(y, x, y, n, [](Vec u, Vec v) { return u + v; });
}

template <class T>
void affine(const T* x, float a, float b, T* y, Index n) {
  transform(x, y, n, [=](Vec v) { return multiply_add(Vec(a), v, Vec(b)); });
}

template <class X, class Y>
void convert(const X* x, Y* y, Index n) {
  transform(x, y, n, [](Vec v) { return v; });
}

template <class F, class T>
[[gnu::flatten]] void bias_activation(const T* x, const float* bias, Index rows, Index cols, T* y) {
  if (bias == nullptr) return unary<F>(x, y, rows * cols);
  for (Index row = 0; row < rows; ++row, x += cols, y += cols) {
    transform(x, bias, y, cols, [](Vec v, Vec b) { return F::y(v + b); });
  }
}

template <class F, class T>
[[gnu::flatten]] void bias_activation_backward(const T* x, const float* bias, const T* dy, Index rows, Index cols,
                                               T* dz, float* sum) {
  if (bias == nullptr && sum == nullptr) return unary_backward<F>(x, dy, dz, rows * cols);
  if (sum != nullptr) {
    for (Index c = 0; c < cols; ++c) sum[c] = 0.0f;
  }
  for (Index row = 0; row < rows; ++row, x += cols, dy += cols, dz += cols) {
    for_each_vector(cols, [=](Index i, Index count) {
      Vec v = load_upto(x + i, count);
      if (bias != nullptr) v = v + load_upto(bias + i, count);
      const Vec d = F::dx(v, load_upto(dy + i, count));
      store_upto(dz + i, d, count);
      if (sum != nullptr) store_upto(sum + i, load_upto(sum + i, count) + d, count);
    });
  }
}

template <class F, class T>
constexpr void enter(StorageTable<T>& table, Unary op) {
  table.unary[static_cast<std::size_t>(op)] = unary<F, T>;
  table.unary_backward[static_cast<std::size_t>(op)] = unary_backward<F, T>;
}

template <class F, class T>
constexpr void enter(StorageTable<T>& table, Activation f) {
  table.bias_activation[static_cast<std::size_t>(f)] = bias_activation<F, T>;
  table.bias_activation_backward[static_cast<std::size_t>(f)] = bias_activation_backward<F, T>;
}

template <class F, class T>
constexpr void enter(StorageTable<T>& table, Parametric op) {
  table.parametric[static_cast<std::size_t>(op)] = parametric<F, T>;
  table.parametric_backward[static_cast<std::size_t>(op)] = parametric_backward<F, T>;
}

template <class F, class T>
constexpr void enter(StorageTable<T>& table, Binary op) {
  table.binary[static_cast<std::size_t>(op)] = binary<F, T>;
}

template <class F, class T>
constexpr void enter(StorageTable<T>& table, BinaryBackward op) {
  table.binary_backward[static_cast<std::size_t>(op)] = binary_backward<F, T>;
}

template <class F>
constexpr void enter(IsaTable& table, Compare op) {
  table.compare[static_cast<std::size_t>(op)] = compare<F>;
}

template <class T>
constexpr void fill_storage(StorageTable<T>& table) {
  table.to_float = convert<T, float>;
  table.from_float = convert<float, T>;
  enter<Neg>(table, Unary::neg);
  enter<Exp>(table, Unary::exp);
  enter<Log>(table, Unary::log);
  enter<Sqrt>(table, Unary::sqrt);
  enter<Abs>(table, Unary::abs);
  enter<Relu>(table, Unary::relu);
  enter<Gelu>(table, Unary::gelu);
  enter<GeluTanh>(table, Unary::gelu_tanh);
  enter<Silu>(table, Unary::silu);
  enter<Sigmoid>(table, Unary::sigmoid);
  enter<Tanh>(table, Unary::tanh);
  enter<Softplus>(table, Unary::softplus);
  enter<Sin>(table, Unary::sin);
  enter<Cos>(table, Unary::cos);
  enter<Tan>(table, Unary::tan);
  enter<Asin>(table, Unary::asin);
  enter<Acos>(table, Unary::acos);
  enter<Atan>(table, Unary::atan);
  enter<Sinh>(table, Unary::sinh);
  enter<Cosh>(table, Unary::cosh);
  enter<Asinh>(table, Unary::asinh);
  enter<Acosh>(table, Unary::acosh);
  enter<Atanh>(table, Unary::atanh);
  enter<Erf>(table, Unary::erf);
  enter<Expm1>(table, Unary::expm1);
  enter<Log1p>(table, Unary::log1p);
  enter<Rsqrt>(table, Unary::rsqrt);
  enter<Reciprocal>(table, Unary::reciprocal);
  enter<Square>(table, Unary::square);
  enter<Sign>(table, Unary::sign);
  enter<Floor>(table, Unary::floor);
  enter<Ceil>(table, Unary::ceil);
  enter<Round>(table, Unary::round);
  enter<Trunc>(table, Unary::trunc);
  enter<Mish>(table, Unary::mish);
  enter<Softsign>(table, Unary::softsign);
  enter<Hardswish>(table, Unary::hardswish);
  enter<Hardsigmoid>(table, Unary::hardsigmoid);
  enter<Add>(table, Binary::add);
  enter<Sub>(table, Binary::sub);
  enter<Mul>(table, Binary::mul);
  enter<Div>(table, Binary::div);
  enter<Maximum>(table, Binary::maximum);
  enter<Minimum>(table, Binary::minimum);
  enter<Same>(table, Binary::same);
  enter<LeakyRelu>(table, Parametric::leaky_relu);
  enter<Clamp>(table, Parametric::clamp);
  enter<Over>(table, Parametric::over);
  enter<Under>(table, Parametric::under);
  enter<Elu>(table, Parametric::elu);
  enter<Celu>(table, Parametric::celu);
  enter<Softshrink>(table, Parametric::softshrink);
  enter<Hardshrink>(table, Parametric::hardshrink);
  enter<Threshold>(table, Parametric::threshold);
  enter<DivB>(table, BinaryBackward::div_b);
  enter<MaximumA>(table, BinaryBackward::maximum_a);
  enter<MinimumA>(table, BinaryBackward::minimum_a);
  table.accumulate = accumulate<T, T>;
  table.accumulate_in_float = accumulate<float, T>;
  table.affine = affine<T>;
  enter<Relu>(table, Activation::relu);
  enter<Gelu>(table, Activation::gelu);
  enter<GeluTanh>(table, Activation::gelu_tanh);
  enter<Silu>(table, Activation::silu);
}

constexpr void fill(IsaTable& table) {
  fill_storage<float>(table);
  fill_storage(table.bf16);
  enter<Equal>(table, Compare::equal);
  enter<NotEqual>(table, Compare::not_equal);
  enter<Less>(table, Compare::less);
  enter<LessEqual>(table, Compare::less_equal);
  table.choose = choose;
}

}  // namespace

constexpr IsaTable elementwise_kernels = filled(fill);

}  // namespace temper::kernels::TEMPER_ISA
