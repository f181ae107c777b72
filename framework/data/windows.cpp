#include <temper/data/windows.hpp>

#include <algorithm>
#include <numeric>

#include <temper/data/subset.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::data {

Windows::Windows(Tensor series, const WindowOptions& options) : series_(std::move(series)), options_(options) {
  if (series_.dtype() != Dtype::f32 || series_.rank() < 1 || series_.rank() > 2) {
    fail<ShapeError>("Windows: a series {} {}, expected f32 [steps] or [steps, channels]", series_.dtype(),
                     series_.shape());
  }
  if (series_.rank() == 1) series_ = series_.view({series_.size(0), 1});
  const auto& [lookback, horizon, stride, gap, targets] = options_;
  if (lookback < 1 || horizon < 1 || stride < 1 || gap < 0) {
    fail<ValueError>("Windows: lookback {}, horizon {}, stride {}, gap {}, expected at least 1, 1, 1 and 0", lookback,
                     horizon, stride, gap);
  }
  const std::int64_t steps = series_.size(0), channels = series_.size(1);
  for (const std::int64_t channel : targets) {
    if (channel < 0 || channel >= channels) fail<ValueError>("Windows: target {} of {} channels", channel, channels);
  }
  if (targets.empty()) {
    options_.targets.resize(static_cast<std::size_t>(channels));
    std::iota(options_.targets.begin(), options_.targets.end(), std::int64_t{0});
  }
  // One after the other: their sum may not be a number.
  std::int64_t spare = steps;
  for (const std::int64_t part : {lookback, gap, horizon}) spare = part > spare ? -1 : spare < 0 ? -1 : spare - part;
  if (spare < 0) {
    fail<ValueError>("Windows: a series of {} steps, a window takes {} + {} + {}", steps, lookback, gap, horizon);
  }
  size_ = spare / stride + 1;
}

std::array<Tensor, 2> Windows::get(std::int64_t i) const {
  const auto [past, future] = batch({&i, 1});
  return {past.view(past.shape().without_axis(0)), future.view(future.shape().without_axis(0))};
}

std::array<Tensor, 2> Windows::batch(std::span<const std::int64_t> indices) const {
  const std::int64_t count = std::ssize(indices), channels = series_.size(1), targets = std::ssize(options_.targets);
  Tensor past = empty({count, options_.lookback, channels}), future = empty({count, options_.horizon, targets});
  const float* const series = series_.data<float>();
  float* p = past.mutable_data<float>();
  float* f = future.mutable_data<float>();
  for (const std::int64_t i : indices) {
    detail::checked_index(i, size_, "Windows");
    p = std::copy_n(series + i * options_.stride * channels, options_.lookback * channels, p);
    const float* row = series + begin_of_future(i) * channels;
    for (std::int64_t step = 0; step < options_.horizon; ++step, row += channels) {
      for (const std::int64_t channel : options_.targets) *f++ = row[channel];
    }
  }
  return {std::move(past), std::move(future)};
}

}  // namespace temper::data
