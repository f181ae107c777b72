#include "framework/kernels/conv_internal.hpp"

// Each result is compared through its products with a random vector over output channels (of dx: input channels) of
// every group: so multiplied, the weights are those of a convolution with one such channel a group, which takes a
// fraction of the time.

namespace temper::kernels {

namespace {

using onednn::TrialArray;
using Numbers = std::vector<float>;
using Sums = std::vector<double>;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// [rows, groups]: the products of every row of x [rows, channels] with r [channels], summed over the channels of each
/// group.
template <class T>
Sums projected(const std::vector<T>& x, const Numbers& r, Index groups) {
  const Index share = static_cast<Index>(r.size()) / groups;
  Sums sums(x.size() / at(share));
  for (Index i = 0; i < static_cast<Index>(sums.size()); ++i) {
    sums[at(i)] = onednn::dot(x.data() + i * share, r.data() + i % groups * share, share);
  }
  return sums;
}

/// x [rows, columns] as [columns, rows].
Sums turned(const Sums& x, Index columns) {
  const Index rows = static_cast<Index>(x.size()) / columns;
  Sums result(x.size());
  for (Index row = 0; row < rows; ++row) {
    for (Index column = 0; column < columns; ++column) result[at(column * rows + row)] = x[at(row * columns + column)];
  }
  return result;
}

/// What is left of weights that are multiplied with r.
class Weights {
 public:
  explicit Weights(const Conv2d& s)
      : s_(s), in_(s.in / s.groups), out_(s.out / s.groups), taps_(s.kernel_h * s.kernel_w) {}

  /// [taps, input channels], for r [output channels].
  Sums over_outputs(const Numbers& weight, const Numbers& r) const {
    Sums sums(at(s_.in * taps_));
    const Index row = in_ * taps_;
    for (Index o = 0; o < s_.out; ++o) {
      onednn::add_scaled(r[at(o)], weight.data() + o * row, row, sums.data() + o / out_ * row);
    }
    return turned(sums, taps_);
  }
  /// [taps, output channels], for r [input channels].
  Sums over_inputs(const Numbers& weight, const Numbers& r) const {
    Sums sums(at(s_.out * taps_));
    for (Index i = 0; i < s_.out * in_; ++i) {
      const Index o = i / in_;
      onednn::add_scaled(r[at(o / out_ * in_ + i % in_)], weight.data() + i * taps_, taps_, sums.data() + o * taps_);
    }
    return turned(sums, taps_);
  }

 private:
  const Conv2d& s_;
  Index in_, out_, taps_;
};

}  // namespace

bool ConvTask::right(onednn::Program& program) const {
  switch (op_) {
    case onednn::Op::conv_forward: return right_forward(program);
    case onednn::Op::conv_backward_data: return right_backward_data(program);
    case onednn::Op::conv_backward_weights: return right_backward_weights(program);
    case onednn::Op::matmul: break;
  }
  return false;
}

bool ConvTask::right_forward(onednn::Program& program) const {
  const Conv2d& s = shape_;
  const Index pixels = s.n * s.out_h() * s.out_w();
  onednn::WholeNumbers numbers(s.in / s.groups * s.kernel_h * s.kernel_w, from_, from_);
  const Numbers x = numbers.first(s.n * s.h * s.w * s.in), weight = numbers.second(s.weights());
  const Numbers bias = numbers.added(s.out), r = numbers.weights(s.out);

  std::vector<TrialArray> arrays;
  arrays.emplace_back(from_, x);
  arrays.emplace_back(from_, weight);
  arrays.emplace_back(onednn::Type::f32, bias);
  arrays.emplace_back(from_, pixels * s.out);
  if (!onednn::behaves(program, arrays)) return false;

  const Sums factors = Weights(s).over_outputs(weight, r);
  Sums sums(at(pixels * s.in));
  each_tap(s, [&](Index from, Index tap, Index to) {
    onednn::add_products(x.data() + from * s.in, factors.data() + tap * s.in, s.in, sums.data() + to * s.in);
  });
  Sums expected = projected(sums, Numbers(at(s.in), 1.0f), s.groups);
  if (flag_) {
    const Sums added = projected(bias, r, s.groups);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += added[i % added.size()];
  }
  return projected(arrays.back().values(), r, s.groups) == expected;
}

bool ConvTask::right_backward_data(onednn::Program& program) const {
  const Conv2d& s = shape_;
  const Index pixels = s.n * s.h * s.w;
  onednn::WholeNumbers numbers(s.out / s.groups * s.kernel_h * s.kernel_w, from_, from_);
  const Numbers dy = numbers.first(s.n * s.out_h() * s.out_w() * s.out), weight = numbers.second(s.weights());
  const Numbers r = numbers.weights(s.in);

  std::vector<TrialArray> arrays;
  arrays.emplace_back(from_, dy);
  arrays.emplace_back(from_, weight);
  arrays.emplace_back(from_, pixels * s.in);
  if (!onednn::behaves(program, arrays)) return false;

  const Sums factors = Weights(s).over_inputs(weight, r);
  Sums sums(at(pixels * s.out));
  each_tap(s, [&](Index to, Index tap, Index from) {
    onednn::add_products(dy.data() + from * s.out, factors.data() + tap * s.out, s.out, sums.data() + to * s.out);
  });
  return projected(arrays.back().values(), r, s.groups) == projected(sums, Numbers(at(s.out), 1.0f), s.groups);
}

bool ConvTask::right_backward_weights(onednn::Program& program) const {
  const Conv2d& s = shape_;
  const Index in = s.in / s.groups, pixels = s.n * s.out_h() * s.out_w();
  onednn::WholeNumbers numbers(pixels, from_, to_);
  const Numbers x = numbers.first(s.n * s.h * s.w * s.in), dy = numbers.second(pixels * s.out);
  const Numbers before = numbers.added(flag_ ? s.weights() : 0), r = numbers.weights(s.out);

  std::vector<TrialArray> arrays;
  arrays.emplace_back(from_, x);
  arrays.emplace_back(from_, dy);
  if (flag_) {
    arrays.emplace_back(to_, before);
  } else {
    arrays.emplace_back(to_, s.weights());
  }
  if (!onednn::behaves(program, arrays)) return false;

  const Sums slopes = projected(dy, r, s.groups);
  Sums factors;  // those of its group for every input channel
  for (const double slope : slopes) factors.insert(factors.end(), at(in), slope);
  const Weights weights(s);
  Sums expected = flag_ ? weights.over_outputs(before, r) : Sums(at(s.kernel_h * s.kernel_w * s.in));
  each_tap(s, [&](Index from, Index tap, Index to) {
    onednn::add_products(x.data() + from * s.in, factors.data() + to * s.in, s.in, expected.data() + tap * s.in);
  });
  return weights.over_outputs(arrays.back().values(), r) == expected;
}

}  // namespace temper::kernels
