#include <temper/autograd/ops/segment.hpp>

#include <algorithm>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/rows.hpp"
#include "framework/kernels/segment.hpp"

namespace temper {

using kernels::Segment;

namespace {

/// Throws unless the offsets do not fall and lie within 0 to `count`.
void require_rising(const char* name, const Tensor& offsets, std::int64_t count, const char* what) {
  std::int64_t before = 0, place = 0;
  for (const std::int64_t offset : offsets.values<std::int64_t>()) {
    if (offset < before || offset > count) {
      fail<ValueError>("{}: offset {} is {}, after {}; expected not to fall, and at most the {} {}", name, place,
                       offset, before, count, what);
    }
    before = offset;
    ++place;
  }
}

Tensor segments(const char* name, Segment op, const Tensor& x, const Tensor& offsets) {
  detail::require_float(name, "input", x);
  detail::require(name, "offsets", offsets, Dtype::i64);
  if (x.rank() == 0 || offsets.rank() != 1 || offsets.numel() == 0) {
    fail<ShapeError>("{}: input {} and offsets {}, expected [N, ...] and [segments + 1]", name, x.shape(),
                     offsets.shape());
  }
  require_rising(name, offsets, x.size(0), "rows");
  const std::int64_t count = offsets.numel() - 1, rows = x.size(0), width = x.shape().without_axis(0).numel();
  const Tensor numbers = detail::converted(x, Dtype::f32);
  Tensor y = empty(x.shape().resized(0, count));
  kernels::reduce_segments(op, numbers.data<float>(), offsets.data<std::int64_t>(), count, width,
                           y.mutable_data<float>());
  const bool extreme = op == Segment::largest || op == Segment::smallest;
  const Tensor kept_x = extreme ? x : Tensor(), result = detail::converted(y, x.dtype());
  return record(name, result, {x},
                [op, count, rows, width, shape = x.shape(), x = save(kept_x), y = save(extreme ? result : Tensor()),
                 offsets = save(offsets)](const Tensor& dy, Gradients& gradients) {
                  const auto wide = [](const Tensor& tensor) {
                    return tensor.defined() ? detail::converted(tensor, Dtype::f32) : tensor;
                  };
                  const Tensor slope = wide(dy), in = wide(x), out = wide(y);
                  Tensor dx = empty(shape);
                  kernels::reduce_segments_backward(
                      op, detail::data_or_null<float>(in), detail::data_or_null<float>(out), slope.data<float>(),
                      offsets->data<std::int64_t>(), count, rows, width, dx.mutable_data<float>());
                  gradients.give(0, dx);
                });
}

}  // namespace

Tensor segment_sum(const Tensor& x, const Tensor& offsets) { return segments("segment_sum", Segment::sum, x, offsets); }
Tensor segment_mean(const Tensor& x, const Tensor& offsets) {
  return segments("segment_mean", Segment::mean, x, offsets);
}
Tensor segment_max(const Tensor& x, const Tensor& offsets) {
  return segments("segment_max", Segment::largest, x, offsets);
}
Tensor segment_min(const Tensor& x, const Tensor& offsets) {
  return segments("segment_min", Segment::smallest, x, offsets);
}

Tensor segment_offsets(const Tensor& ids, std::int64_t segments) {
  constexpr const char* name = "segment_offsets";
  detail::require(name, "ids", ids, Dtype::i64);
  if (ids.rank() != 1 || segments < 0) {
    fail<ShapeError>("{}: ids {} of {} segments, expected [N], and at least 0", name, ids.shape(), segments);
  }
  Tensor offsets = empty({segments + 1}, Dtype::i64);
  std::int64_t* const to = offsets.mutable_data<std::int64_t>();
  std::int64_t next = 0, row = 0;  // the first segment whose offset is not known yet
  for (const std::int64_t id : ids.values<std::int64_t>()) {
    if (id < next - 1 || id < 0 || id >= segments) {
      fail<ValueError>("{}: id {} of row {} after {}, expected not to fall, and below {}", name, id, row, next - 1,
                       segments);
    }
    while (next <= id) to[next++] = row;
    ++row;
  }
  while (next <= segments) to[next++] = row;
  return offsets;
}

namespace {

constexpr const char* bag_name = "embedding_bag";

/// i64 [bags + 1], whatever the options are.
Tensor bag_offsets(const Tensor& ids, const Tensor& offsets, bool include_last) {
  if (!offsets.defined()) {
    if (ids.rank() != 2) {
      fail<ShapeError>("{}: ids {} without offsets, expected [bags, n]", bag_name, ids.shape());
    }
    Tensor all = empty({ids.size(0) + 1}, Dtype::i64);
    std::int64_t* const to = all.mutable_data<std::int64_t>();
    for (std::int64_t i = 0; i < all.numel(); ++i) to[i] = i * ids.size(1);
    return all;
  }
  detail::require(bag_name, "offsets", offsets, Dtype::i64);
  if (ids.rank() != 1 || offsets.rank() != 1 || (include_last && offsets.numel() == 0)) {
    fail<ShapeError>("{}: ids {} and offsets {}, expected [N] and [bags{}]", bag_name, ids.shape(), offsets.shape(),
                     include_last ? " + 1" : "");
  }
  require_rising(bag_name, offsets, ids.numel(), "ids");
  const std::int64_t count = offsets.numel();
  if (count > 0 && offsets.data<std::int64_t>()[0] != 0) {
    fail<ValueError>("{}: the first offset is {}, expected 0", bag_name, offsets.data<std::int64_t>()[0]);
  }
  if (include_last) {
    if (offsets.data<std::int64_t>()[count - 1] != ids.numel()) {
      fail<ValueError>("{}: the last offset is {}, expected the number of ids, {}", bag_name,
                       offsets.data<std::int64_t>()[count - 1], ids.numel());
    }
    return offsets;
  }
  Tensor all = empty({count + 1}, Dtype::i64);
  std::copy_n(offsets.data<std::int64_t>(), count, all.mutable_data<std::int64_t>());
  all.mutable_data<std::int64_t>()[count] = ids.numel();
  return all;
}

Segment segment_of(BagMode mode) {
  return mode == BagMode::mean ? Segment::mean : mode == BagMode::sum ? Segment::sum : Segment::largest;
}

/// The gradient of the rows that the bags name.
template <class T>
RowGradient bag_rows(Segment op, const kernels::Bags& bags, const T* dy, const std::int64_t* which,
                     std::int64_t width) {
  const kernels::Places places(bags.ids, bags.count, bags.padding);
  RowGradient gradient{empty({places.rows()}, Dtype::i64), empty({places.rows(), width})};
  std::copy_n(places.ids(), places.rows(), gradient.rows.mutable_data<std::int64_t>());
  float* const values = gradient.values.mutable_data<float>();
  const kernels::Scratch<std::int32_t> bag_of(bags.count);
  for (std::int64_t bag = 0; bag < bags.bags; ++bag) {
    std::fill(bag_of.data() + bags.offsets[bag], bag_of.data() + bags.offsets[bag + 1], static_cast<std::int32_t>(bag));
  }
  if (op == Segment::largest) {
    places.sum_chosen(dy, width, bag_of.data(), which, values);
  } else if (op == Segment::sum) {
    places.sum(dy, width, bag_of.data(), bags.scale, values);
  } else {
    const kernels::Scratch<float> shares(bags.bags * width);
    kernels::share_bags(bags, dy, width, shares.data());
    places.sum<float>(shares.data(), width, bag_of.data(), nullptr, values);
  }
  return gradient;
}

}  // namespace

Tensor embedding_bag(const Tensor& ids, const Parameter& weight, const Tensor& offsets,
                     const EmbeddingBagOptions& options) {
  return embedding_bag(ids, weight.stored(), offsets, options);
}

Tensor embedding_bag(const Tensor& ids, const Tensor& weight, const Tensor& offsets,
                     const EmbeddingBagOptions& options) {
  detail::require(bag_name, "ids", ids, Dtype::i64);
  detail::require_float(bag_name, "weight", weight);
  if (weight.rank() != 2) fail<ShapeError>("{}: weight {}, expected [rows, width]", bag_name, weight.shape());
  const Tensor bounds = bag_offsets(ids, offsets, options.include_last_offset);
  std::int64_t place = 0;
  for (const std::int64_t id : ids.values<std::int64_t>()) {
    if (id < 0 || id >= weight.size(0)) {
      fail<ValueError>("{}: id {} at place {} is outside the {} rows of weight {}", bag_name, id, place, weight.size(0),
                       weight.shape());
    }
    ++place;
  }
  const Tensor& scale = options.per_sample_weights;
  if (scale.defined()) {
    detail::require(bag_name, "per_sample_weights", scale);
    if (options.mode != BagMode::sum)
      fail<ValueError>("{}: per_sample_weights, expected BagMode::sum with them", bag_name);
    if (!(scale.shape() == ids.shape())) {
      fail<ShapeError>("{}: per_sample_weights {} and ids {}, expected the same shape", bag_name, scale.shape(),
                       ids.shape());
    }
  }
  detail::pay_rows(weight, ids);
  const Segment op = segment_of(options.mode);
  const std::int64_t count = bounds.numel() - 1, width = weight.size(1);
  const auto bags_of = [count, padding = options.padding.value_or(-1)](const Tensor& names, const Tensor& ends,
                                                                       const Tensor& factors) {
    return kernels::Bags{.ids = names.data<std::int64_t>(),
                         .offsets = ends.data<std::int64_t>(),
                         .scale = detail::data_or_null<float>(factors),
                         .bags = count,
                         .count = names.numel(),
                         .padding = padding};
  };
  Tensor y = empty({count, width}, weight.dtype()), which;
  if (op == Segment::largest) which = empty({count, width}, Dtype::i64);
  detail::with_type(weight.dtype(), [&]<class T>() {
    kernels::embedding_bag(op, bags_of(ids, bounds, scale), weight.data<T>(), width, y.mutable_data<T>(),
                           detail::mutable_data_or_null<std::int64_t>(which));
  });
  return record(
      {bag_name,
       {{"ids", ids}, {"offsets", offsets}, {"mode", options.mode}, {"padding", options.padding.value_or(-1)}}},
      y, {weight, scale},
      [op, width, bags_of, which, ids = save(ids), bounds = save(bounds), weight = save(weight, {1}),
       scale = save(scale, {0})](const Tensor& dy, Gradients& gradients) {
        detail::with_type(dy.dtype(), [&]<class T>() {
          if (gradients.wants(0) && gradients.sparse(0)) {
            gradients.give_rows(0, bag_rows(op, bags_of(ids, bounds, scale), dy.data<T>(),
                                            detail::data_or_null<std::int64_t>(which), width));
          } else if (gradients.wants(0)) {
            detail::SummedGradient dweight(gradients, 0);  // rows may repeat
            kernels::embedding_bag_backward(op, bags_of(ids, bounds, scale), dy.data<T>(),
                                            detail::data_or_null<std::int64_t>(which), width, dweight.data());
            dweight.close();
          }
          if (!gradients.wants(1)) return;
          Tensor dscale = empty(ids->shape());
          kernels::embedding_bag_scale_backward(bags_of(ids, bounds, Tensor()), weight->data<T>(), dy.data<T>(), width,
                                                dscale.mutable_data<float>());
          gradients.give(1, dscale);
        });
      });
}

}  // namespace temper
