#include <temper/autograd/ops/norm.hpp>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/ops/unary.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/norm.hpp"

namespace temper {

using detail::require;

namespace {

/// Checks the arguments and returns how many numbers are normalized together.
std::int64_t checked(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias, float eps) {
  detail::require_float(name, "input", x);
  require(name, "weight", weight);
  const Shape& shape = x.shape();
  const int first = x.rank() - weight.rank();
  if (first < 0 || weight.rank() == 0 ||
      !(Shape(std::span<const std::int64_t>(shape.begin() + first, shape.end())) == weight.shape())) {
    fail<ShapeError>("{}: input {} does not end in the shape {} of weight", name, shape, weight.shape());
  }
  if (weight.numel() == 0) fail<ShapeError>("{}: weight {} is empty", name, weight.shape());
  if (bias.defined()) {
    require(name, "bias", bias);
    if (!(bias.shape() == weight.shape())) {
      fail<ShapeError>("{}: bias {} and weight {}, expected the same shape", name, bias.shape(), weight.shape());
    }
  }
  if (!(eps >= 0.0f)) fail<ValueError>("{}: eps {}, expected at least 0", name, eps);
  return weight.numel();
}

/// Calls backward(NormGradients) with the buffers in which the wanted gradients of input, weight and bias are gathered.
template <class T, class Backward>
void norm_gradients(Gradients& gradients, Backward backward) {
  const auto with_parameters = [&]<class G>(kernels::NormGradients<G> wanted) {
    detail::write_gradient<float>(gradients, 1, [&]<class>(float* dweight, bool accumulate) {
      wanted.weight = dweight;
      wanted.accumulate_weight = accumulate;
    });
    detail::write_gradient<float>(gradients, 2, [&]<class>(float* dbias, bool accumulate) {
      wanted.bias = dbias;
      wanted.accumulate_bias = accumulate;
    });
    backward(wanted);
  };
  if (!gradients.wants(0)) return with_parameters(kernels::NormGradients<float>{});
  detail::write_gradient<T>(gradients, 0, [&]<class G>(G* dx, bool accumulate) {
    with_parameters(kernels::NormGradients<G>{.x = dx, .accumulate_x = accumulate});
  });
}

/// The gradients by recorded operations, where the last `axes` axes are normalized.
void give_recorded(const Tensor& input, const Tensor& weight, int axes, float eps, bool centered,
                   const Tensor& output_gradient, Gradients& gradients) {
  const Shape& shape = output_gradient.shape();
  const Shape features(std::span<const std::int64_t>(shape.end() - axes, shape.end()));
  const Shape rows = {shape.numel() / features.numel(), features.numel()};
  const Tensor dy = to(reshape(output_gradient, rows), Dtype::f32);
  if (gradients.wants(2)) gradients.give(2, reshape(sum(dy, {0}), features));
  if (!gradients.wants(0) && !gradients.wants(1)) return;
  const auto average = [](const Tensor& terms) { return mean(terms, {1}, {.keepdim = true}); };
  Tensor x = to(reshape(input, rows), Dtype::f32);
  if (centered) x = x - average(x);
  const Tensor inverse = rsqrt(average(square(x)) + eps), normal = x * inverse;
  if (gradients.wants(1)) gradients.give(1, reshape(sum(dy * normal, {0}), features));
  if (!gradients.wants(0)) return;
  const Tensor d = dy * reshape(weight, Shape{features.numel()});
  Tensor dx = d - normal * average(d * normal);
  if (centered) dx = dx - average(d);
  gradients.give(0, reshape(dx * inverse, shape));
}

/// Records y, the norm of x; `mean` is undefined for RMS norm.
Tensor recorded(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias, float eps, const Tensor& y,
                const Tensor& mean, const Tensor& inverse) {
  return record({name, {{"eps", eps}}}, y, {x, weight, bias},
                differentiable([x = save(x, {0, 1}), weight = save(weight, {0}), axes = weight.rank(),
                                cols = weight.numel(), eps, mean, inverse](const Tensor& dy, Gradients& gradients) {
                  if (recording()) return give_recorded(x, weight, axes, eps, mean.defined(), dy, gradients);
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    const Tensor& read = x->defined() ? *x : dy;  // x is not kept when db alone is wanted
                    // The same pass adds dx to the gradient that came through a residual connection.
                    norm_gradients<T>(gradients, [&](const auto& wanted) {
                      kernels::norm_backward(read.data<T>(), dy.data<T>(), dy.numel() / cols, cols,
                                             detail::data_or_null<float>(weight), detail::data_or_null<float>(mean),
                                             inverse.data<float>(), wanted);
                    });
                  });
                }));
}

Tensor norm(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias, float eps, bool centered) {
  const std::int64_t cols = checked(name, x, weight, bias, eps), rows = x.numel() / cols;
  Tensor y = empty(x.shape(), x.dtype()), inverse = empty({rows}), mean;
  if (centered) mean = empty({rows});
  detail::with_type(x.dtype(), [&]<class T>() {
    kernels::norm(x.data<T>(), rows, cols, weight.data<float>(), bias.defined() ? bias.data<float>() : nullptr, eps,
                  y.mutable_data<T>(), centered ? mean.mutable_data<float>() : nullptr, inverse.mutable_data<float>());
  });
  return recorded(name, x, weight, bias, eps, y, mean, inverse);
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const NormOptions& options) {
  return norm("layer_norm", x, weight, bias, options.eps, true);
}

SumAndNorm add_layer_norm(const Tensor& x, const Tensor& y, const Tensor& weight, const Tensor& bias,
                          const NormOptions& options) {
  constexpr const char* name = "add_layer_norm";
  const std::int64_t cols = checked(name, x, weight, bias, options.eps), rows = x.numel() / cols;
  detail::require_alike(name, "y", y, "input", x);
  if (!(y.shape() == x.shape())) fail<ShapeError>("{}: y {}, input {} expects the same", name, y.shape(), x.shape());
  Tensor sum = empty(x.shape(), x.dtype()), z = empty(x.shape(), x.dtype()), mean = empty({rows}),
         inverse = empty({rows});
  detail::with_type(x.dtype(), [&]<class T>() {
    kernels::add_norm(x.data<T>(), y.data<T>(), rows, cols, weight.data<float>(),
                      bias.defined() ? bias.data<float>() : nullptr, options.eps, sum.mutable_data<T>(),
                      z.mutable_data<T>(), mean.mutable_data<float>(), inverse.mutable_data<float>());
  });
  // Two records, so that the norm's backward adds its dx to the gradient of the sum in one pass.
  record("add", sum, {x, y}, differentiable([](const Tensor& dsum, Gradients& gradients) {
           gradients.give(0, dsum);
           gradients.give(1, dsum);
         }));
  return {sum, recorded(name, sum, weight, bias, options.eps, z, mean, inverse)};
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, const NormOptions& options) {
  return norm("rms_norm", x, weight, Tensor(), options.eps, false);
}

}  // namespace temper
