#include <temper/autograd/ops/embedding.hpp>

#include <algorithm>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/embedding.hpp"
#include "framework/kernels/rows.hpp"

namespace temper {

Tensor embedding(const Tensor& ids, const Parameter& weight, const EmbeddingOptions& options) {
  return embedding(ids, weight.stored(), options);
}

Tensor embedding(const Tensor& ids, const Tensor& weight, const EmbeddingOptions& options) {
  detail::require("embedding", "ids", ids, Dtype::i64);
  detail::require_float("embedding", "weight", weight);
  if (weight.rank() != 2) fail<ShapeError>("embedding: weight {}, expected [rows, width]", weight.shape());
  std::int64_t place = 0;
  for (const std::int64_t id : ids.values<std::int64_t>()) {
    if (id < 0 || id >= weight.size(0)) {
      fail<ValueError>("embedding: id {} at place {} is outside the {} rows of weight {}", id, place, weight.size(0),
                       weight.shape());
    }
    ++place;
  }
  const std::int64_t count = ids.numel(), width = weight.size(1);
  detail::pay_rows(weight, ids);
  Tensor y = empty(ids.shape().with_axis(-1, width), weight.dtype());
  detail::with_type(weight.dtype(), [&]<class T>() {
    kernels::embedding(weight.data<T>(), ids.data<std::int64_t>(), count, width, y.mutable_data<T>());
  });
  return record(
      {"embedding", {{"ids", ids}}}, y, {weight},
      [count, width, padding = options.padding.value_or(-1), ids = save(ids)](const Tensor& dy, Gradients& gradients) {
        if (gradients.sparse(0)) {
          const kernels::Places places(ids->data<std::int64_t>(), count, padding);
          RowGradient rows{empty({places.rows()}, Dtype::i64), empty({places.rows(), width})};
          std::copy_n(places.ids(), places.rows(), rows.rows.mutable_data<std::int64_t>());
          detail::with_type(dy.dtype(), [&]<class T>() {
            places.sum(dy.data<T>(), width, nullptr, nullptr, rows.values.mutable_data<float>());
          });
          gradients.give_rows(0, std::move(rows));
          return;
        }
        detail::SummedGradient dweight(gradients, 0);  // ids may repeat
        detail::with_type(dy.dtype(), [&]<class T>() {
          kernels::embedding_backward(dy.data<T>(), ids->data<std::int64_t>(), count, width, dweight.data(), padding);
        });
        dweight.close();
      });
}

}  // namespace temper
