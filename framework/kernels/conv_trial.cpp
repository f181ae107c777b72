#include "framework/kernels/conv_internal.hpp"

// Each result is compared through its products with a random vector over output channels (of dx: input channels) of
// every group: so multiplied, the weights are those of a convolution with one such channel a group, and loops over it
// take no time.

namespace temper::kernels {

namespace {

using onednn::TrialArray;
using Numbers = std::vector<double>;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// [rows, groups]: the products of every row of x [rows, channels] with r [channels], summed over the channels of each
/// group.
Numbers projected(const Numbers& x, const Numbers& r, Index groups) {
  const Index channels = static_cast<Index>(r.size()), rows = static_cast<Index>(x.size()) / channels;
  const Index share = channels / groups;
  Numbers sums(at(rows * groups));
  for (Index i = 0; i < rows * channels; ++i) {
    sums[at(i / channels * groups + i % channels / share)] += x[at(i)] * r[at(i % channels)];
  }
  return sums;
}

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
  const Index in = s.in / s.groups, out = s.out / s.groups, taps = s.kernel_h * s.kernel_w;
  const Index pixels = s.n * s.out_h() * s.out_w();
  onednn::WholeNumbers numbers(in * taps, from_, from_);
  const Numbers x = numbers.first(s.n * s.h * s.w * s.in), weight = numbers.second(s.weights());
  const Numbers bias = numbers.added(s.out), r = numbers.weights(s.out);

  std::vector<TrialArray> arrays;
  arrays.emplace_back(from_, x);
  arrays.emplace_back(from_, weight);
  arrays.emplace_back(onednn::Type::f32, bias);
  arrays.emplace_back(from_, pixels * s.out);
  if (!onednn::behaves(program, arrays)) return false;

  Numbers combined(at(taps * s.in));  // [tap, input channel]
  for (Index o = 0; o < s.out; ++o) {
    for (Index i = 0; i < in * taps; ++i) {
      combined[at(i % taps * s.in + o / out * in + i / taps)] += r[at(o)] * weight[at(o * in * taps + i)];
    }
  }
  Numbers expected(at(pixels * s.groups));
  if (flag_) {
    const Numbers added = projected(bias, r, s.groups);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = added[i % added.size()];
  }
  each_tap(s, [&](Index from, Index tap, Index to) {
    for (Index g = 0; g < s.groups; ++g) {
      double sum = 0;
      for (Index c = g * in; c < (g + 1) * in; ++c) sum += x[at(from * s.in + c)] * combined[at(tap * s.in + c)];
      expected[at(to * s.groups + g)] += sum;
    }
  });
  return projected(arrays.back().values(), r, s.groups) == expected;
}

bool ConvTask::right_backward_data(onednn::Program& program) const {
  const Conv2d& s = shape_;
  const Index in = s.in / s.groups, out = s.out / s.groups, taps = s.kernel_h * s.kernel_w;
  onednn::WholeNumbers numbers(out * taps, from_, from_);
  const Numbers dy = numbers.first(s.n * s.out_h() * s.out_w() * s.out), weight = numbers.second(s.weights());
  const Numbers r = numbers.weights(s.in);

  std::vector<TrialArray> arrays;
  arrays.emplace_back(from_, dy);
  arrays.emplace_back(from_, weight);
  arrays.emplace_back(from_, s.n * s.h * s.w * s.in);
  if (!onednn::behaves(program, arrays)) return false;

  Numbers combined(at(taps * s.out));  // [tap, output channel]
  for (Index o = 0; o < s.out; ++o) {
    for (Index i = 0; i < in * taps; ++i) {
      combined[at(i % taps * s.out + o)] += r[at(o / out * in + i / taps)] * weight[at(o * in * taps + i)];
    }
  }
  Numbers expected(at(s.n * s.h * s.w * s.groups));
  each_tap(s, [&](Index to, Index tap, Index from) {
    for (Index g = 0; g < s.groups; ++g) {
      double sum = 0;
      for (Index o = g * out; o < (g + 1) * out; ++o) sum += dy[at(from * s.out + o)] * combined[at(tap * s.out + o)];
      expected[at(to * s.groups + g)] += sum;
    }
  });
  return projected(arrays.back().values(), r, s.groups) == expected;
}

bool ConvTask::right_backward_weights(onednn::Program& program) const {
  const Conv2d& s = shape_;
  const Index in = s.in / s.groups, out = s.out / s.groups, taps = s.kernel_h * s.kernel_w;
  onednn::WholeNumbers numbers(s.n * s.out_h() * s.out_w(), from_, to_);
  const Numbers x = numbers.first(s.n * s.h * s.w * s.in), dy = numbers.second(s.n * s.out_h() * s.out_w() * s.out);
  const Numbers before = numbers.added(s.weights()), r = numbers.weights(s.out);

  std::vector<TrialArray> arrays;
  arrays.emplace_back(from_, x);
  arrays.emplace_back(from_, dy);
  if (flag_) {
    arrays.emplace_back(to_, before);
  } else {
    arrays.emplace_back(to_, s.weights());
  }
  if (!onednn::behaves(program, arrays)) return false;

  const Numbers combined = projected(dy, r, s.groups);
  Numbers expected(at(taps * s.in)), got(expected.size());  // [tap, input channel]
  each_tap(s, [&](Index from, Index tap, Index to) {
    for (Index g = 0; g < s.groups; ++g) {
      const double factor = combined[at(to * s.groups + g)];
      for (Index c = g * in; c < (g + 1) * in; ++c) expected[at(tap * s.in + c)] += x[at(from * s.in + c)] * factor;
    }
  });
  const Numbers dw = arrays.back().values();
  for (Index o = 0; o < s.out; ++o) {
    for (Index i = 0; i < in * taps; ++i) {
      const Index sum = i % taps * s.in + o / out * in + i / taps, element = o * in * taps + i;
      got[at(sum)] += r[at(o)] * dw[at(element)];
      if (flag_) expected[at(sum)] += r[at(o)] * before[at(element)];
    }
  }
  return got == expected;
}

}  // namespace temper::kernels
