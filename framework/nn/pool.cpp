#include <temper/nn/pool.hpp>

#include "framework/nn/text_internal.hpp"

namespace temper::nn {

std::string MaxPool2d::description() const { return "MaxPool2d(" + text(options_.kernel) + ")"; }
Tensor MaxPool2d::forward(const Tensor& x) const { return max_pool2d(x, options_); }

Tensor MaxPool2d::relu(const Tensor& x) const { return max_pool2d_relu(x, options_); }

std::string AvgPool2d::description() const { return "AvgPool2d(" + text(options_.kernel) + ")"; }
Tensor AvgPool2d::forward(const Tensor& x) const { return avg_pool2d(x, options_); }

std::string AdaptiveAvgPool2d::description() const { return "AdaptiveAvgPool2d(" + text(output_) + ")"; }
Tensor AdaptiveAvgPool2d::forward(const Tensor& x) const { return adaptive_avg_pool2d(x, output_); }

Tensor GlobalAvgPool2d::forward(const Tensor& x) const { return global_avg_pool2d(x); }

}  // namespace temper::nn
