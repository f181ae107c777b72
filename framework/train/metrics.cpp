#include <temper/train/metrics.hpp>

#include <algorithm>

#include <temper/autograd/ops/cast.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::detail {

std::int64_t count_correct(const Tensor& logits, const Tensor& labels) {
  if (logits.rank() != 2 || labels.rank() != 1 || logits.size(0) != labels.size(0) || logits.size(1) < 1) {
    fail<ShapeError>("accuracy: logits {} and labels {}, expected [N, classes] and [N]", logits.shape(),
                     labels.shape());
  }
  const std::int64_t classes = logits.size(1);
  const Tensor values = to(logits, Dtype::f32);
  const float* row = values.data<float>();
  std::int64_t correct = 0;
  for (const std::int64_t label : labels.values<std::int64_t>()) {
    correct += std::max_element(row, row + classes) - row == label;
    row += classes;
  }
  return correct;
}

double fraction(std::int64_t part, std::int64_t whole) {
  if (whole == 0) fail<ValueError>("accuracy: the loader has no examples");
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace temper::detail
