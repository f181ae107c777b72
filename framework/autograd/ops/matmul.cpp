#include <temper/autograd/ops/matmul.hpp>

#include <algorithm>

#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/autograd/ops/elementwise_internal.hpp"
#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/matmul.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper {

using detail::require;
using kernels::Activation;

namespace {

kernels::Matmul check(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  detail::require_float("matmul", "a", a);
  detail::require_alike("matmul", "b", b, "a", a);
  const Shape &sa = a.shape(), &sb = b.shape();
  if (sa.rank() < 2 || sb.rank() < 2)
    fail<ShapeError>("matmul: a {} and b {}, expected at least two axes each", sa, sb);
  const bool share_b = sb.rank() == 2 && sa.rank() > 2;
  Shape batch_a = sa.without_axis(-1).without_axis(-1), batch_b = sb.without_axis(-1).without_axis(-1);
  if (!share_b && !(batch_a == batch_b)) {
    fail<ShapeError>("matmul: a {} and b {} differ in their leading axes {} and {}", sa, sb, batch_a, batch_b);
  }
  kernels::Matmul shape{.m = sa[options.transpose_a ? -1 : -2],
                        .n = sb[options.transpose_b ? -2 : -1],
                        .k = sa[options.transpose_a ? -2 : -1],
                        .batch = batch_a.numel(),
                        .transpose_a = options.transpose_a,
                        .transpose_b = options.transpose_b,
                        .share_b = share_b};
  const std::int64_t k = sb[options.transpose_b ? -1 : -2];
  if (k != shape.k) {
    fail<ShapeError>("matmul: a {}{} has {} columns, b {}{} has {} rows", sa, options.transpose_a ? " transposed" : "",
                     shape.k, sb, options.transpose_b ? " transposed" : "", k);
  }
  return shape;
}

/// A batch of products that share one b, as a single product with the rows of all a.
kernels::Matmul stacked(kernels::Matmul shape) {
  if (shape.share_b && !shape.transpose_a) {
    shape.m *= shape.batch;
    shape.batch = 1;
    shape.share_b = false;
  }
  return shape;
}

/// With op(a) = a or its transpose, y = op(a) op(b): the gradient of op(a) is dy op(b)^T, and a's is that or its
/// transpose.
template <class T, class G>
void gradient_of_a(const kernels::Matmul& y, const T* dy, const T* b, const Gradients::Target& da) {
  Tensor target = da.tensor;
  G* const out = target.mutable_data<G>();
  kernels::Matmul shape{.batch = y.batch, .accumulate = da.accumulate};
  if (!y.transpose_a) {
    shape.m = y.m;
    shape.n = y.k;
    shape.k = y.n;
    shape.transpose_b = !y.transpose_b;
    shape.share_b = y.share_b;
    return kernels::matmul(shape, dy, b, nullptr, out);
  }
  shape.m = y.k;
  shape.n = y.m;
  shape.k = y.n;
  shape.transpose_a = y.transpose_b;
  shape.transpose_b = true;
  if (!y.share_b) return kernels::matmul(shape, b, dy, nullptr, out);
  shape.batch = 1;
  for (std::int64_t i = 0; i < y.batch; ++i) {
    kernels::matmul(shape, b, dy + i * y.m * y.n, nullptr, out + i * y.k * y.m);
  }
}

/// The gradient of op(b) is op(a)^T dy, summed over the batch when all of it shares b.
template <class T, class G>
void gradient_of_b(const kernels::Matmul& y, const T* dy, const T* a, const Gradients::Target& db) {
  Tensor target = db.tensor;
  G* const out = target.mutable_data<G>();
  kernels::Matmul shape{.k = y.m, .batch = y.batch, .accumulate = db.accumulate};
  if (y.transpose_b) {
    shape.m = y.n;
    shape.n = y.k;
    shape.transpose_a = true;
    shape.transpose_b = y.transpose_a;
  } else {
    shape.m = y.k;
    shape.n = y.n;
    shape.transpose_a = !y.transpose_a;
  }
  const T* const left = y.transpose_b ? dy : a;
  const T* const right = y.transpose_b ? a : dy;
  if (!y.share_b) return kernels::matmul(shape, left, right, nullptr, out);
  shape.batch = 1;
  if (y.batch == 0) shape.k = 0;
  for (std::int64_t i = 0; i < std::max<std::int64_t>(1, y.batch); ++i) {
    kernels::matmul(shape, left + i * (y.transpose_b ? y.m * y.n : y.m * y.k),
                    right + i * (y.transpose_b ? y.m * y.k : y.m * y.n), nullptr, out);
    shape.accumulate = true;
  }
}

/// Both gradients as recorded products.
void give_products(const kernels::Matmul& y, const Tensor& a, const Tensor& b, const Tensor& dy, Gradients& gradients) {
  if (gradients.wants(0)) {
    gradients.give(0, y.transpose_a ? matmul(b, dy, {.transpose_a = y.transpose_b, .transpose_b = true})
                                    : matmul(dy, b, {.transpose_b = !y.transpose_b}));
  }
  if (!gradients.wants(1)) return;
  const Tensor db = y.transpose_b ? matmul(dy, a, {.transpose_a = true, .transpose_b = y.transpose_a})
                                  : matmul(a, dy, {.transpose_a = !y.transpose_a});
  detail::give_reduced(gradients, 1, db);
}

/// Whether operands must be copied for the leading axes to broadcast. A b that is a single matrix need not be.
bool needs_expansion(const Shape& a, const Shape& b) {
  if (a.rank() < 2 || b.rank() < 2 || b.rank() == 2) return false;
  bool equal = a.rank() == b.rank();
  for (int back = 3; back <= std::max(a.rank(), b.rank()); ++back) {
    const std::int64_t size_a = back <= a.rank() ? a[-back] : 1, size_b = back <= b.rank() ? b[-back] : 1;
    if (size_a != size_b && size_a != 1 && size_b != 1) return false;
    equal = equal && size_a == size_b;
  }
  return !equal;
}

Tensor expanded(const Tensor& x, const Shape& leading) {
  return expand(x, leading.with_axis(leading.rank(), x.size(-2)).with_axis(leading.rank() + 1, x.size(-1)));
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  if (a.defined() && b.defined() && needs_expansion(a.shape(), b.shape())) {
    const auto leading_of = [](const Tensor& x) { return x.shape().without_axis(-1).without_axis(-1); };
    const Shape leading = broadcast_shapes("matmul", leading_of(a), leading_of(b));
    return matmul(expanded(a, leading), expanded(b, leading), options);
  }
  const kernels::Matmul whole = check(a, b, options);
  Shape y_shape = a.shape().resized(-2, whole.m).resized(-1, whole.n);
  const kernels::Matmul shape = stacked(whole);
  Tensor y = empty(y_shape, a.dtype());
  detail::with_type(a.dtype(),
                    [&]<class T>() { kernels::matmul(shape, a.data<T>(), b.data<T>(), nullptr, y.mutable_data<T>()); });
  return record({"matmul", {{"transpose_a", options.transpose_a}, {"transpose_b", options.transpose_b}}}, y, {a, b},
                differentiable([a = save(a, {1}), b = save(b, {0}), shape](const Tensor& dy, Gradients& gradients) {
                  if (recording()) return give_products(shape, a, b, dy, gradients);
                  if (gradients.wants(0)) {
                    const Gradients::Target da = gradients.into(0);
                    detail::with_types(dy.dtype(), da.tensor, [&]<class T, class G>() {
                      gradient_of_a<T, G>(shape, dy.data<T>(), b->data<T>(), da);
                    });
                  }
                  if (gradients.wants(1)) {
                    const Gradients::Target db = gradients.into(1);
                    detail::with_types(dy.dtype(), db.tensor, [&]<class T, class G>() {
                      gradient_of_b<T, G>(shape, dy.data<T>(), a->data<T>(), db);
                    });
                  }
                }));
}

namespace {

struct LinearSize {
  std::int64_t rows, in, out;
};

/// x, rounded to bf16 if the weight is bf16.
Tensor as_weight(const char* name, const Tensor& x, const Tensor& weight) {
  detail::require_float(name, "input", x);
  detail::require_float(name, "weight", weight);
  return weight.dtype() == Dtype::bf16 ? to(x, Dtype::bf16) : x;
}

LinearSize checked(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  detail::require_alike(name, "weight", weight, "input", x);
  if (weight.rank() != 2) fail<ShapeError>("{}: weight {}, expected [out, in]", name, weight.shape());
  const std::int64_t out = weight.size(0), in = weight.size(1);
  if (x.rank() < 1) fail<ShapeError>("{}: input {}, expected [..., {}]", name, x.shape(), in);
  if (x.size(-1) != in) {
    fail<ShapeError>("{}: input {} has {} features, weight {} expects {}", name, x.shape(), x.size(-1), weight.shape(),
                     in);
  }
  if (bias.defined()) {
    require(name, "bias", bias);
    if (!(bias.shape() == Shape{out})) {
      fail<ShapeError>("{}: bias {}, weight {} expects [{}]", name, bias.shape(), weight.shape(), out);
    }
  }
  return {x.shape().without_axis(-1).numel(), in, out};
}

/// y = x weight^T, plus the bias unless that is undefined.
void product(const LinearSize& size, const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor& y) {
  detail::with_type(x.dtype(), [&]<class T>() {
    kernels::matmul({.m = size.rows, .n = size.out, .k = size.in, .transpose_b = true}, x.data<T>(), weight.data<T>(),
                    detail::data_or_null<float>(bias), y.mutable_data<T>());
  });
}

/// Gives the gradients of input 0, x, and input 1, the weight; dz is the gradient of their product.
void give_factors(const LinearSize& size, const Tensor& x, const Tensor& weight, const Tensor& dz,
                  Gradients& gradients) {
  if (gradients.wants(0)) {
    Gradients::Target dx = gradients.into(0);
    detail::with_types(dz.dtype(), dx.tensor, [&]<class T, class G>() {
      kernels::matmul({.m = size.rows, .n = size.in, .k = size.out, .accumulate = dx.accumulate}, dz.data<T>(),
                      weight.data<T>(), nullptr, dx.tensor.mutable_data<G>());
    });
  }
  if (gradients.wants(1)) {
    Gradients::Target dw = gradients.into(1);
    detail::with_types(dz.dtype(), dw.tensor, [&]<class T, class G>() {
      kernels::matmul({.m = size.out, .n = size.in, .k = size.rows, .transpose_a = true, .accumulate = dw.accumulate},
                      dz.data<T>(), x.data<T>(), nullptr, dw.tensor.mutable_data<G>());
    });
  }
}

/// The gradients of a linear layer as recorded products; dz is that of its result.
void give_linear(const LinearSize& size, const Tensor& x, const Tensor& weight, const Tensor& dz,
                 Gradients& gradients) {
  const Tensor rows = reshape(dz, Shape{size.rows, size.out});
  if (gradients.wants(0)) gradients.give(0, reshape(matmul(rows, weight), dz.shape().resized(-1, size.in)));
  if (gradients.wants(1)) {
    gradients.give(1, matmul(rows, reshape(x, Shape{size.rows, size.in}), {.transpose_a = true}));
  }
  if (gradients.wants(2)) gradients.give(2, sum(to(rows, Dtype::f32), {0}));
}

/// A linear layer with its activation. The activation's pass adds the bias, not the product: without a bias, oneDNN's
/// gemm can compute the product as well.
Tensor linear_activation(const char* name, Activation activation, const Tensor& input, const Tensor& weight,
                         const Tensor& bias) {
  const Tensor x = as_weight(name, input, weight);
  const LinearSize size = checked(name, x, weight, bias);
  // The derivative is computed from the output, or else from the product, which then must be kept as well.
  const bool from_output = kernels::derivative_from_output(activation);
  Tensor y = empty(x.shape().resized(-1, size.out), x.dtype());
  Tensor z = from_output || !recording({x, weight, bias}) ? y : empty(y.shape(), y.dtype());
  product(size, x, weight, Tensor(), z);
  detail::with_type(x.dtype(), [&]<class T>() {
    kernels::bias_activation(activation, z.data<T>(), detail::data_or_null<float>(bias), size.rows, size.out,
                             y.mutable_data<T>());
  });
  // A second derivative from the product needs the product as something recorded, and so the weight in any case.
  return record(
      {name, {{"tanh", activation == Activation::gelu_tanh}}}, y, {x, weight, bias},
      differentiable([name, x = save(x, {1}), weight = save(weight, {0}), factor = weight, version = weight.version(),
                      kept = save(z), bias = from_output ? Saved() : save(bias), activation,
                      size](const Tensor& dy, Gradients& gradients) {
        if (recording()) {
          const bool by_output = kernels::derivative_from_output(activation);
          if (!by_output && !x->defined()) {
            fail<TapeError>("gradient: {} with a frozen weight has no second derivative, linear has one", name);
          }
          if (!by_output && factor.version() != version) {
            fail<TapeError>("gradient: weight {} was changed in place after {} used it", factor.shape(), name);
          }
          const Tensor at = by_output ? *kept : linear(x, factor, bias);
          return give_linear(size, x, weight, detail::chained(name, kernels::function_of(activation), at, dy),
                             gradients);
        }
        Tensor dz = detail::overwritable(dy);
        Gradients::Target db{};  // summed in the same pass
        if (gradients.wants(2)) db = gradients.into(2);
        detail::with_type(dy.dtype(), [&]<class T>() {
          kernels::bias_activation_backward(activation, kept->data<T>(), detail::data_or_null<float>(bias),
                                            dy.data<T>(), size.rows, size.out, dz.mutable_data<T>(),
                                            detail::mutable_data_or_null<float>(db.tensor), db.accumulate);
        });
        give_factors(size, x, weight, dz, gradients);
      }));
}

}  // namespace

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  const Tensor x = as_weight("linear", input, weight);
  const LinearSize size = checked("linear", x, weight, bias);
  Tensor y = empty(x.shape().resized(-1, size.out), x.dtype());
  product(size, x, weight, bias, y);
  return record(
      "linear", y, {x, weight, bias},
      differentiable([x = save(x, {1}), weight = save(weight, {0}), size](const Tensor& dy, Gradients& gradients) {
        if (recording()) return give_linear(size, x, weight, dy, gradients);
        give_factors(size, x, weight, dy, gradients);
        if (!gradients.wants(2)) return;
        Gradients::Target db = gradients.into(2);
        detail::with_type(dy.dtype(), [&]<class T>() {
          kernels::sum_rows(dy.data<T>(), size.rows, size.out, db.tensor.mutable_data<float>(), db.accumulate);
        });
      }));
}

Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return linear_activation("linear_relu", Activation::relu, x, weight, bias);
}

Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias, GeluForm form) {
  return linear_activation("linear_gelu", form == GeluForm::erf ? Activation::gelu : Activation::gelu_tanh, x, weight,
                           bias);
}

Tensor linear_silu(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return linear_activation("linear_silu", Activation::silu, x, weight, bias);
}

}  // namespace temper
