#include <temper/autograd/row_gradient.hpp>

#include <algorithm>

#include "framework/kernels/elementwise.hpp"

namespace temper {

Tensor RowGradient::dense(std::int64_t count) const {
  const std::int64_t width = values.size(1);
  Tensor all = zeros({count, width});
  float* const to = all.mutable_data<float>();
  const float* from = values.data<float>();
  for (const std::int64_t row : rows.values<std::int64_t>()) {
    std::copy_n(from, width, to + row * width);
    from += width;
  }
  return all;
}

RowGradient add_rows(const RowGradient& a, const RowGradient& b) {
  if (!a.defined()) return b;
  if (!b.defined()) return a;
  const auto x = a.rows.values<std::int64_t>(), y = b.rows.values<std::int64_t>();
  std::int64_t count = 0;
  for (std::size_t i = 0, j = 0; i < x.size() || j < y.size(); ++count) {
    const bool takes_x = j == y.size() || (i < x.size() && x[i] <= y[j]);
    const bool takes_y = i == x.size() || (j < y.size() && y[j] <= x[i]);
    i += takes_x ? 1 : 0;
    j += takes_y ? 1 : 0;
  }
  const std::int64_t width = a.values.size(1);
  RowGradient sum{empty({count}, Dtype::i64), empty({count, width})};
  std::int64_t* row = sum.rows.mutable_data<std::int64_t>();
  float* to = sum.values.mutable_data<float>();
  const float *from_x = a.values.data<float>(), *from_y = b.values.data<float>();
  for (std::size_t i = 0, j = 0; i < x.size() || j < y.size(); to += width) {
    const bool takes_x = j == y.size() || (i < x.size() && x[i] <= y[j]);
    const bool takes_y = i == x.size() || (j < y.size() && y[j] <= x[i]);
    *row++ = takes_x ? x[i] : y[j];
    std::copy_n(takes_x ? from_x : from_y, width, to);
    if (takes_x && takes_y) kernels::accumulate(to, from_y, width);
    if (takes_x) ++i, from_x += width;
    if (takes_y) ++j, from_y += width;
  }
  return sum;
}

}  // namespace temper
