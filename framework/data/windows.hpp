#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <temper/data/dataset.hpp>

namespace temper::data {

struct WindowOptions {
  std::int64_t lookback;                   ///< steps of input
  std::int64_t horizon = 1;                ///< steps to predict
  std::int64_t stride = 1;                 ///< steps between the starts of consecutive windows
  std::int64_t gap = 0;                    ///< steps between the input and those to predict
  std::vector<std::int64_t> targets = {};  ///< channels to predict; by default all
};

/// Windows over a series f32 [steps, channels]: example i is {past f32 [lookback, channels], future f32 [horizon,
/// targets]}, starting at step i * stride. To evaluate on the steps from `begin` on, include the input of the first
/// window: series.rows(begin - lookback - gap, steps). Combine several series with Concat. Copies share the series.
class Windows {
 public:
  /// A series [steps] has one channel. Throws: ShapeError for a series that is not f32 [steps] or [steps, channels];
  /// ValueError for options out of range, or a series shorter than one window.
  Windows(Tensor series, const WindowOptions& options);

  std::int64_t size() const { return size_; }
  /// Throws: ValueError for a window that is not there.
  std::array<Tensor, 2> get(std::int64_t i) const;
  std::array<Tensor, 2> batch(std::span<const std::int64_t> indices) const;
  /// The first step that window i predicts.
  std::int64_t begin_of_future(std::int64_t i) const { return i * options_.stride + options_.lookback + options_.gap; }

 private:
  Tensor series_;  // [steps, channels]
  WindowOptions options_;
  std::int64_t size_;
};

}  // namespace temper::data
