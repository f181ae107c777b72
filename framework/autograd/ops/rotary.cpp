#include <temper/autograd/ops/rotary.hpp>

#include <cmath>
#include <numbers>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/rotary.hpp"

namespace temper {

namespace {

double scaled(double frequency, const Llama3Scaling& s) {
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  if (wavelength > s.context / s.low) return frequency / s.factor;
  if (wavelength < s.context / s.high) return frequency;
  const double kept = (s.context / wavelength - s.low) / (s.high - s.low);
  return (1.0 - kept) * frequency / s.factor + kept * frequency;
}

}  // namespace

Tensor rotary_table(std::int64_t positions, std::int64_t features, const RotaryTableOptions& options) {
  if (features < 0 || features % 2 != 0 || positions < 0) {
    fail<ValueError>("rotary_table: {} positions and {} features, expected an even number of features", positions,
                     features);
  }
  if (!(options.base > 0.0) || !(options.factor > 0.0)) {
    fail<ValueError>("rotary_table: base {} and factor {}, expected above 0", options.base, options.factor);
  }
  const std::int64_t pairs = features / 2;
  Tensor table = empty({2, positions, pairs});
  float* const cosines = table.mutable_data<float>();
  float* const sines = cosines + positions * pairs;
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    double frequency = std::pow(options.base, -static_cast<double>(pair) / static_cast<double>(pairs));
    if (options.llama3) frequency = scaled(frequency, *options.llama3);
    for (std::int64_t t = 0; t < positions; ++t) {
      const double angle = static_cast<double>(t) / options.factor * frequency;
      cosines[t * pairs + pair] = static_cast<float>(std::cos(angle));
      sines[t * pairs + pair] = static_cast<float>(std::sin(angle));
    }
  }
  return table;
}

Tensor rotary_embedding(const Tensor& x, const Tensor& table, const RotaryOptions& options) {
  constexpr const char* name = "rotary_embedding";
  detail::require_float(name, "input", x);
  detail::require(name, "table", table);
  const int axis = detail::require_axis(name, "input", x, options.axis);
  if (axis == x.rank() - 1)
    fail<ShapeError>("{}: axis {} of input {} is that of the features", name, options.axis, x.shape());
  if (table.rank() != 3 || table.size(0) != 2 || 2 * table.size(2) > x.size(-1)) {
    fail<ShapeError>("{}: table {}, input {} expects [2, positions, at most {}]", name, table.shape(), x.shape(),
                     x.size(-1) / 2);
  }
  const detail::AxisView view = detail::view_of(x.shape(), axis);
  kernels::Rotary task{.outer = view.outer,
                       .tokens = view.size,
                       .inner = x.size(-1) == 0 ? 0 : view.inner / x.size(-1),
                       .width = x.size(-1),
                       .pairs = table.size(2),
                       .interleaved = options.interleaved,
                       .first = options.offset};
  const std::int64_t count = table.size(1);
  if (options.positions.defined()) {
    detail::require(name, "positions", options.positions, Dtype::i64);
    if (!(options.positions.shape() == Shape{view.size})) {
      fail<ShapeError>("{}: positions {}, input {} expects [{}]", name, options.positions.shape(), x.shape(),
                       view.size);
    }
    for (const std::int64_t position : options.positions.values<std::int64_t>()) {
      if (position < 0 || position >= count) {
        fail<ValueError>("{}: position {} is outside the {} of table {}", name, position, count, table.shape());
      }
    }
    task.positions = options.positions.data<std::int64_t>();
  } else if (options.offset < 0 || options.offset + view.size > count) {
    fail<ValueError>("{}: positions {} to {} are outside the {} of table {}", name, options.offset,
                     options.offset + view.size, count, table.shape());
  }
  const auto rotated = [task, table, positions = options.positions](const Tensor& from, bool inverse) {
    Tensor to = empty(from.shape(), from.dtype());
    detail::with_type(from.dtype(), [&]<class T>() {
      const float* const cosines = table.data<float>();
      kernels::rotate(task, from.data<T>(), cosines, cosines + table.numel() / 2, inverse, to.mutable_data<T>());
    });
    return to;
  };
  return record({name,
                 {{"table", table},
                  {"axis", axis},
                  {"interleaved", options.interleaved},
                  {"offset", options.offset},
                  {"positions", options.positions}}},
                rotated(x, false), {x},
                [rotated, unchanged = save(table), places = save(options.positions)](
                    const Tensor& dy, Gradients& gradients) { gradients.give(0, rotated(dy, true)); });
}

}  // namespace temper
