#include "framework/kernels/isa/fill.hpp"
#include "framework/kernels/isa/isa.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

constexpr float inv_sqrt_2 = 0.70710678118654752f;
constexpr float inv_sqrt_2pi = 0.39894228040143268f;
constexpr float sqrt_2_over_pi = 0.79788456080286536f;
constexpr float gelu_cubic = 0.044715f;

Vec zero() { return Vec(0.0f); }
Vec one() { return Vec(1.0f); }

Vec sigmoid(Vec x) { return one() / (one() + xsimd::exp(-x)); }

// Each function with its derivative: y(x) and dx(x, dy). Selections are written so that NaN comes out as NaN.

struct Neg {
  static Vec y(Vec x) { return -x; }
  static Vec dx(Vec, Vec dy) { return -dy; }
};
struct Exp {
  static Vec y(Vec x) { return xsimd::exp(x); }
  static Vec dx(Vec x, Vec dy) { return dy * xsimd::exp(x); }
};
struct Log {
  static Vec y(Vec x) { return xsimd::log(x); }
  static Vec dx(Vec x, Vec dy) { return dy / x; }
};
struct Sqrt {
  static Vec y(Vec x) { return xsimd::sqrt(x); }
  static Vec dx(Vec x, Vec dy) { return dy * Vec(0.5f) / xsimd::sqrt(x); }
};
struct Abs {
  static Vec y(Vec x) { return xsimd::abs(x); }
  static Vec dx(Vec x, Vec dy) { return xsimd::select(x > zero(), dy, xsimd::select(x < zero(), -dy, zero())); }
};
struct Relu {
  static Vec y(Vec x) { return xsimd::select(x < zero(), zero(), x); }
  static Vec dx(Vec x, Vec dy) { return xsimd::select(x <= zero(), zero(), dy); }
};
struct Gelu {  // x * Phi(x)
  static Vec y(Vec x) { return Vec(0.5f) * x * (one() + xsimd::erf(x * Vec(inv_sqrt_2))); }
  static Vec dx(Vec x, Vec dy) {
    const Vec cdf = Vec(0.5f) * (one() + xsimd::erf(x * Vec(inv_sqrt_2)));
    const Vec pdf = Vec(inv_sqrt_2pi) * xsimd::exp(Vec(-0.5f) * x * x);
    return dy * (cdf + x * pdf);
  }
};
struct GeluTanh {
  static Vec inner(Vec x) { return Vec(sqrt_2_over_pi) * (x + Vec(gelu_cubic) * x * x * x); }
  static Vec y(Vec x) { return Vec(0.5f) * x * (one() + xsimd::tanh(inner(x))); }
  static Vec dx(Vec x, Vec dy) {
    const Vec t = xsimd::tanh(inner(x));
    const Vec slope = Vec(sqrt_2_over_pi) * (one() + Vec(3.0f * gelu_cubic) * x * x);
    return dy * Vec(0.5f) * (one() + t + x * (one() - t * t) * slope);
  }
};
struct Silu {
  static Vec y(Vec x) { return x * sigmoid(x); }
  static Vec dx(Vec x, Vec dy) {
    const Vec s = sigmoid(x);
    return dy * s * (one() + x * (one() - s));
  }
};
struct Sigmoid {
  static Vec y(Vec x) { return sigmoid(x); }
  static Vec dx(Vec x, Vec dy) {
    const Vec s = sigmoid(x);
    return dy * s * (one() - s);
  }
};
struct Tanh {
  static Vec y(Vec x) { return xsimd::tanh(x); }
  static Vec dx(Vec x, Vec dy) {
    const Vec t = xsimd::tanh(x);
    return dy * (one() - t * t);
  }
};
struct Softplus {  // log(1 + e^x), from the side that does not overflow
  static Vec y(Vec x) {
    const Vec tail = xsimd::log1p(xsimd::exp(-xsimd::abs(x)));
    return xsimd::select(x < zero(), zero(), x) + tail;
  }
  static Vec dx(Vec x, Vec dy) { return dy * sigmoid(x); }
};

template <class F>
void unary(const float* x, float* y, Index n) {
  transform(x, y, n, [](Vec v) { return F::y(v); });
}

template <class F>
void unary_backward(const float* x, const float* dy, float* dx, Index n) {
  transform(x, dy, dx, n, [](Vec v, Vec d) { return F::dx(v, d); });
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

template <class F>
void binary(const float* a, Index stride_a, const float* b, Index stride_b, float* y, Index n) {
  if (stride_a != 0 && stride_b != 0) {
    transform(a, b, y, n, [](Vec u, Vec v) { return F::y(u, v); });
  } else if (stride_a != 0) {
    transform(a, y, n, [v = Vec(*b)](Vec u) { return F::y(u, v); });
  } else {
    transform(b, y, n, [u = Vec(*a)](Vec v) { return F::y(u, v); });
  }
}

void accumulate(float* y, const float* x, Index n) {
  transform(y, x, y, n, [](Vec u, Vec v) { return u + v; });
}

void affine(const float* x, float a, float b, float* y, Index n) {
  transform(x, y, n, [=](Vec v) { return Vec(a) * v + Vec(b); });
}

template <class F>
void enter(IsaTable& table, Unary op) {
  table.unary[static_cast<std::size_t>(op)] = unary<F>;
  table.unary_backward[static_cast<std::size_t>(op)] = unary_backward<F>;
}

template <class F>
void enter(IsaTable& table, Binary op) {
  table.binary[static_cast<std::size_t>(op)] = binary<F>;
}

}  // namespace

void fill_elementwise(IsaTable& table) {
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
  enter<Add>(table, Binary::add);
  enter<Sub>(table, Binary::sub);
  enter<Mul>(table, Binary::mul);
  enter<Div>(table, Binary::div);
  table.accumulate = accumulate;
  table.affine = affine;
}

}  // namespace temper::kernels::TEMPER_ISA
