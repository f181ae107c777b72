#include <temper/autograd/ops/group_norm.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/group_norm.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper {

namespace {

Tensor normalized(const char* name, const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias,
                  float eps) {
  detail::require_float(name, "input", x);
  if (x.rank() < 2) fail<ShapeError>("{}: input {}, expected [N, ..., C]", name, x.shape());
  const std::int64_t channels = x.size(-1);
  if (groups < 1 || channels == 0 || channels % groups != 0) {
    fail<ValueError>("{}: {} groups do not divide the {} channels of input {}", name, groups, channels, x.shape());
  }
  for (const auto& [argument, parameter] : {std::pair("weight", &weight), {"bias", &bias}}) {
    if (!parameter->defined()) continue;
    detail::require(name, argument, *parameter);
    if (!(parameter->shape() == Shape{channels})) {
      fail<ShapeError>("{}: {} {}, input {} expects [{}]", name, argument, parameter->shape(), x.shape(), channels);
    }
  }
  if (!(eps >= 0.0f)) fail<ValueError>("{}: eps {}, expected at least 0", name, eps);
  const std::int64_t n = x.size(0), places = n == 0 ? 0 : x.numel() / n / channels;
  const kernels::GroupNorm shape{n, places, channels, groups, eps};
  const bool empty_input = x.numel() == 0;
  Tensor y = empty(x.shape(), x.dtype()), mean = empty({n, groups}), inverse = empty({n, groups});
  const auto optional = [](const Tensor& t) { return t.defined() ? t.data<float>() : nullptr; };
  if (!empty_input) {
    detail::with_type(x.dtype(), [&]<class T>() {
      kernels::group_norm(shape, x.data<T>(), optional(weight), optional(bias), y.mutable_data<T>(),
                          mean.mutable_data<float>(), inverse.mutable_data<float>());
    });
  }
  return record({name, {{"groups", groups}, {"eps", eps}}}, y, {x, weight, bias},
                [=, x = save(x, {0, 1}), weight = save(weight, {0})](const Tensor& dy, Gradients& gradients) {
                  Tensor dx, dweight, dbias;  // dweight and dbias: [N, C], for each example
                  if (gradients.wants(0)) dx = empty(x->shape(), x->dtype());
                  if (gradients.wants(1)) dweight = empty({n, channels});
                  if (gradients.wants(2)) dbias = empty({n, channels});
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    if (empty_input) return;
                    const auto target = []<class G>(Tensor& d, G*) {
                      return d.defined() ? d.mutable_data<G>() : nullptr;
                    };
                    kernels::group_norm_backward(
                        shape, detail::data_or_null<T>(x), detail::data_or_null<float>(weight), mean.data<float>(),
                        inverse.data<float>(), dy.data<T>(), target(dx, static_cast<T*>(nullptr)),
                        target(dweight, static_cast<float*>(nullptr)), target(dbias, static_cast<float*>(nullptr)));
                  });
                  if (dx.defined()) gradients.give(0, std::move(dx));
                  const auto give_sum = [&](int input, const Tensor& each) {
                    detail::write_gradient<float>(gradients, input, [&]<class>(float* sum, bool accumulate) {
                      kernels::sum_rows(each.data<float>(), empty_input ? 0 : n, channels, sum, accumulate);
                    });
                  };
                  give_sum(1, dweight);
                  give_sum(2, dbias);
                });
}

}  // namespace

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias,
                  const GroupNormOptions& options) {
  return normalized("group_norm", x, groups, weight, bias, options.eps);
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const GroupNormOptions& options) {
  detail::require_float("instance_norm", "input", x);
  const std::int64_t channels = x.rank() > 0 ? x.size(-1) : 1;
  return normalized("instance_norm", x, channels, weight, bias, options.eps);
}

}  // namespace temper
