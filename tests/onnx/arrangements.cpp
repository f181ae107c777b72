// What moves elements: shapes, places, slices, padding, order.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/onnx/node.hpp"

namespace temper::onnx {

namespace {

Tensor of_ints(const Ints& values) { return from(values, {static_cast<std::int64_t>(values.size())}); }

/// x along new sizes, of any dtype.
Tensor broadcast(const Tensor& x, const Shape& shape) { return where(to(ones(shape), Dtype::boolean), x, x); }

Tensor reshaped(const Node& node) {
  const Tensor& x = node.in();
  Ints sizes = node.list("shape", 1);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0 && node.get<int>("allowzero", 0) == 0) sizes[i] = x.size(static_cast<int>(i));
  }
  return reshape(x, std::span<const std::int64_t>(sizes));
}

Tensor transposed(const Node& node) {
  Ints order(static_cast<std::size_t>(node.in().rank()));
  std::iota(order.rbegin(), order.rend(), 0);
  return permute(node.in(), axes_of(node.get("perm", order)));
}

Tensor without(const Node& node) {
  Tensor x = node.in();
  if (!node.given("axes") && !node.has(1)) return squeeze(x);
  Ints axes = node.list("axes", 1);
  for (std::int64_t& axis : axes) axis = axis_of(axis, x.rank());
  std::ranges::sort(axes, std::greater());
  for (const std::int64_t axis : axes) x = squeeze(x, static_cast<int>(axis));
  return x;
}

Tensor with(const Node& node) {
  Tensor x = node.in();
  Ints axes = node.list("axes", 1);
  const int rank = x.rank() + static_cast<int>(axes.size());
  for (std::int64_t& axis : axes) axis = axis_of(axis, rank);
  std::ranges::sort(axes);
  for (const std::int64_t axis : axes) x = unsqueeze(x, static_cast<int>(axis));
  return x;
}

Tensor flat(const Node& node) {
  const Tensor& x = node.in();
  std::int64_t axis = node.get<std::int64_t>("axis", 1), rows = 1;
  if (axis < 0) axis += x.rank();
  for (int i = 0; i < axis; ++i) rows *= x.size(i);
  return reshape(x, Shape{rows, rows == 0 ? 0 : x.numel() / rows});
}

Tensors parts(const Node& node) {
  const Tensor& x = node.in();
  const int axis = axis_of(node.get<std::int64_t>("axis", 0), x.rank());
  const std::int64_t size = x.size(axis), count = static_cast<std::int64_t>(node.outputs.size());
  const Ints sizes = node.list("split", 1, Ints(node.outputs.size(), size / count));
  Tensors result;
  std::int64_t begin = 0;
  for (const std::int64_t part : sizes) {
    result.push_back(slice(x, axis, begin, begin + part));
    begin += part;
  }
  return result;
}

Tensor sliced(const Node& node) {
  Tensor x = node.in();
  const Ints starts = node.list("starts", 1), ends = node.list("ends", 2);
  Ints axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  axes = node.list("axes", 3, axes);
  const Ints steps = node.has(4) ? ints(node.in(4)) : Ints(starts.size(), 1);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const int axis = axis_of(axes[i], x.rank());
    const std::int64_t size = x.size(axis), step = steps[i];
    const auto bound = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
      return std::clamp(at < 0 ? at + size : at, low, high);
    };
    if (step > 0) {
      const std::int64_t begin = bound(starts[i], 0, size), end = std::max(begin, bound(ends[i], 0, size));
      x = step == 1 ? slice(x, axis, begin, end) : slice(x, axis, begin, end, step);
    } else {  // backwards: forwards along the reversed axis
      const std::int64_t first = bound(starts[i], -1, size - 1);
      const std::int64_t last = ends[i] < -size ? -1 : bound(ends[i], -1, size - 1);
      x = slice(flip(x, axis), axis, size - 1 - first, std::max(size - 1 - first, size - 1 - last), -step);
    }
  }
  return x;
}

/// Places from 0 on.
Tensor places(const Tensor& index, std::int64_t size) {
  return where(less(index, indices({0}).view({})), index + size, index);
}

Tensor taken(const Node& node) {
  const Tensor& x = node.in();
  const int axis = axis_of(node.get<std::int64_t>("axis", 0), x.rank());
  const Tensor index = places(node.in(1), x.size(axis));
  const Tensor y = index_select(x, axis, reshape(index, Shape{index.numel()}));
  Ints sizes(x.shape().begin(), x.shape().begin() + axis);
  sizes.insert(sizes.end(), index.shape().begin(), index.shape().end());
  sizes.insert(sizes.end(), x.shape().begin() + axis + 1, x.shape().end());
  return reshape(y, shape_of(sizes));
}

/// The numbers that rows of `index` [..., d] have in row-major order of the first d axes of `sizes`, after `skip`
/// others.
Tensor linear(const Tensor& index, const Shape& sizes, int skip) {
  const auto depth = static_cast<int>(index.size(-1));
  Tensor total;
  for (int d = 0; d < depth; ++d) {
    const std::int64_t size = sizes[skip + d];
    const Tensor place = places(squeeze(slice(index, -1, d, d + 1), -1), size);
    total = total.defined() ? total * size + place : place;
  }
  return total;
}

Tensor taken_by_rows(const Node& node) {
  const Tensor &x = node.in(), &index = node.in(1);
  const auto batch = static_cast<int>(node.get<std::int64_t>("batch_dims", 0)),
             depth = static_cast<int>(index.size(-1));
  std::int64_t batches = 1, places_each = 1;
  for (int i = 0; i < batch; ++i) batches *= x.size(i);
  for (int i = batch; i < batch + depth; ++i) places_each *= x.size(i);
  Tensor at =
      reshape(linear(index, x.shape(), batch), Shape{batches, batches == 0 ? 0 : index.numel() / depth / batches});
  at = at + reshape(arange(batches) * places_each, Shape{batches, 1});
  const Tensor rows = reshape(x, Shape{batches * places_each, x.numel() / (batches * places_each)});
  const Tensor y = index_select(rows, 0, reshape(at, Shape{at.numel()}));
  Ints sizes(index.shape().begin(), index.shape().end() - 1);
  sizes.insert(sizes.end(), x.shape().begin() + batch + depth, x.shape().end());
  return reshape(y, shape_of(sizes));
}

Tensor put_rows(const Node& node) {
  const Tensor &x = node.in(), &index = node.in(1), &source = node.in(2);
  const std::string reduction = node.get<std::string>("reduction", "none");
  const auto depth = static_cast<int>(index.size(-1));
  std::int64_t rows = 1;
  for (int i = 0; i < depth; ++i) rows *= x.size(i);
  const std::int64_t width = x.numel() / rows;
  Tensor at = linear(index, x.shape(), 0);
  at = reshape(at, Shape{at.numel()});
  const Tensor table = reshape(x, Shape{rows, width}), values = reshape(source, Shape{at.numel(), width});
  if (reduction == "add") return reshape(index_add(table, 0, at, values), x.shape());
  if (reduction != "none") throw Missing("scatter that multiplies");
  const Tensor wide = broadcast(unsqueeze(at, 1), values.shape());
  return reshape(scatter(table, 0, wide, values), x.shape());
}

Tensor put(const Node& node) {
  const Tensor &x = node.in(), &index = node.in(1), &source = node.in(2);
  const std::string reduction = node.get<std::string>("reduction", "none");
  if (reduction != "none" && reduction != "add") throw Missing("scatter that multiplies");
  const int axis = axis_of(node.get<std::int64_t>("axis", 0), x.rank());
  // The index may be smaller than x along other axes: places in all of x.
  Tensor at = places(index, x.size(axis));
  Tensor total = zeros({}, Dtype::i64);
  for (int i = 0; i < x.rank(); ++i) {
    Ints sizes(static_cast<std::size_t>(x.rank()), 1);
    sizes[static_cast<std::size_t>(i)] = index.size(i);
    total = total * x.size(i) + (i == axis ? at : reshape(arange(index.size(i)), shape_of(sizes)));
  }
  const Tensor list = reshape(total, Shape{total.numel()}), all = reshape(x, Shape{x.numel()}),
               values = reshape(source, Shape{source.numel()});
  return reshape(reduction == "add" ? scatter_add(all, 0, list, values) : scatter(all, 0, list, values), x.shape());
}

Tensor hot(const Node& node) {
  const std::int64_t depth = static_cast<std::int64_t>(number(node.in(1)));
  const Tensor index = to(node.in(), Dtype::i64), values = node.in(2);
  const int axis = axis_of(node.get<std::int64_t>("axis", -1), index.rank() + 1);
  Ints sizes(static_cast<std::size_t>(index.rank() + 1), 1);
  sizes[static_cast<std::size_t>(axis)] = depth;
  const Tensor mask = equal(unsqueeze(places(index, depth), axis), reshape(arange(depth), shape_of(sizes)));
  return where(mask, squeeze(slice(values, 0, 1, 2), 0), squeeze(slice(values, 0, 0, 1), 0));
}

Tensor range(const Node& node) {
  const double start = number(node.in()), limit = number(node.in(1)), delta = number(node.in(2));
  const auto count = static_cast<std::int64_t>(std::max(0.0, std::ceil((limit - start) / delta)));
  if (node.in().dtype() == Dtype::i64) {
    return arange(count) * static_cast<std::int64_t>(delta) + static_cast<std::int64_t>(start);
  }
  return to(arange(count), Dtype::f32) * delta + start;
}

Tensor padded(const Node& node) {
  Tensor x = node.in();
  const Ints pads = node.list("pads", 1);
  const std::string mode = node.get<std::string>("mode", "constant");
  const int rank = x.rank();
  const auto before = [&](int i) { return pads[static_cast<std::size_t>(i)]; };
  const auto after = [&](int i) { return pads[static_cast<std::size_t>(rank + i)]; };
  for (int i = 0; i < rank; ++i) {  // negative ones cut off
    x = slice(x, i, std::max<std::int64_t>(0, -before(i)), x.size(i) + std::min<std::int64_t>(0, after(i)));
  }
  if (mode == "constant") {
    std::vector<Padding> all;
    for (int i = 0; i < rank; ++i)
      all.push_back({std::max<std::int64_t>(0, before(i)), std::max<std::int64_t>(0, after(i))});
    const double value = node.has(2) ? number(node.in(2)) : node.get<double>("value", 0);
    return to(pad(to(x, Dtype::f32), all, static_cast<float>(value)), x.dtype());
  }
  for (int i = 0; i < rank; ++i) {
    const std::int64_t size = x.size(i);
    Ints from_where;
    for (std::int64_t at = -before(i); at < size + after(i); ++at) {
      std::int64_t place = at;
      if (mode == "reflect") {
        place = std::abs(place);
        if (place >= size) place = 2 * (size - 1) - place;
      }
      from_where.push_back(std::clamp<std::int64_t>(place, 0, size - 1));
    }
    x = index_select(x, i, of_ints(from_where));
  }
  return x;
}

Tensor blocks(const Node& node, bool to_space) {
  const Tensor& x = node.in();
  const std::int64_t b = node.get<std::int64_t>("blocksize", 1), n = x.size(0), c = x.size(1), h = x.size(2),
                     w = x.size(3);
  if (!to_space) {
    return reshape(permute(reshape(x, Shape{n, c, h / b, b, w / b, b}), {0, 3, 5, 1, 2, 4}),
                   Shape{n, c * b * b, h / b, w / b});
  }
  if (node.get<std::string>("mode", "DCR") == "CRD") return channels_first(pixel_shuffle(channels_last(x), b));
  return reshape(permute(reshape(x, Shape{n, b, b, c / (b * b), h, w}), {0, 3, 4, 1, 5, 2}),
                 Shape{n, c / (b * b), h * b, w * b});
}

Tensor reversed(const Node& node) {
  const Tensor& x = node.in();
  const Ints lengths = ints(node.in(1));
  const auto batch = static_cast<int>(node.get<std::int64_t>("batch_axis", 1)),
             time = static_cast<int>(node.get<std::int64_t>("time_axis", 0));
  Tensors all;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const Tensor one = slice(x, batch, at, at + 1);
    all.push_back(
        concat({flip(slice(one, time, 0, lengths[i]), time), slice(one, time, lengths[i], x.size(time))}, time));
  }
  return concat(all, batch);
}

Tensor compressed(const Node& node) {
  Tensor x = node.in();
  if (!node.given("axis")) x = reshape(x, Shape{x.numel()});
  const Tensor kept = nonzero(node.in(1));
  return index_select(x, axis_of(node.get<std::int64_t>("axis", 0), x.rank()), reshape(kept, Shape{kept.size(0)}));
}

Tensor triangle(const Node& node) {
  const std::int64_t k = node.has(1) ? static_cast<std::int64_t>(number(node.in(1))) : 0;
  return node.get<int>("upper", 1) ? triu(node.in(), k) : tril(node.in(), k);
}

Tensor identity(const Node& node) {
  const Tensor& x = node.in();
  const Tensor rows = reshape(arange(x.size(0)), Shape{x.size(0), 1}),
               columns = reshape(arange(x.size(1)), Shape{1, x.size(1)});
  const Tensor y = to(equal(columns - rows, indices({node.get<std::int64_t>("k", 0)})), Dtype::i64);
  const std::int64_t kind = node.get<std::int64_t>("dtype", x.dtype() == Dtype::i64 ? 7 : 1);
  return to(y, kind == 1 || kind == 11 ? Dtype::f32 : Dtype::i64);
}

}  // namespace

void add_arrangements(Operators& operators) {
  using Single = Tensor (*)(const Node&);
  const std::vector<std::pair<const char*, Single>> singles = {{"Reshape", reshaped},
                                                               {"Transpose", transposed},
                                                               {"Squeeze", without},
                                                               {"Unsqueeze", with},
                                                               {"Flatten", flat},
                                                               {"Slice", sliced},
                                                               {"Gather", taken},
                                                               {"GatherND", taken_by_rows},
                                                               {"ScatterND", put_rows},
                                                               {"ScatterElements", put},
                                                               {"Scatter", put},
                                                               {"OneHot", hot},
                                                               {"Range", range},
                                                               {"Pad", padded},
                                                               {"ReverseSequence", reversed},
                                                               {"Compress", compressed},
                                                               {"Trilu", triangle},
                                                               {"EyeLike", identity}};
  for (const auto& [name, function] : singles) {
    operators[name] = [function](const Node& node) { return Tensors{function(node)}; };
  }
  operators["Shape"] = [](const Node& node) {
    const auto rank = static_cast<std::int64_t>(node.in().rank());
    const auto bound = [rank](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
    const std::int64_t begin = bound(node.get<std::int64_t>("start", 0)),
                       end = bound(node.get<std::int64_t>("end", rank));
    const Ints sizes = sizes_of(node.in().shape());
    return Tensors{of_ints({sizes.begin() + begin, sizes.begin() + std::max(begin, end)})};
  };
  operators["Size"] = [](const Node& node) { return Tensors{indices({node.in().numel()}).view({})}; };
  operators["Concat"] = [](const Node& node) {
    return Tensors{concat(node.inputs, static_cast<int>(node.get<std::int64_t>("axis", 1)))};
  };
  operators["Split"] = parts;
  operators["Expand"] = [](const Node& node) {
    const Shape shape = broadcast_shapes("Expand", node.in().shape(), shape_of(ints(node.in(1))));
    return Tensors{broadcast(node.in(), shape)};
  };
  operators["Tile"] = [](const Node& node) {
    const Ints repeats = ints(node.in(1));
    return Tensors{tile(node.in(), std::span<const std::int64_t>(repeats))};
  };
  operators["GatherElements"] = [](const Node& node) {
    const Tensor& x = node.in();
    const int axis = axis_of(node.get<std::int64_t>("axis", 0), x.rank());
    return Tensors{gather(x, axis, places(node.in(1), x.size(axis)))};
  };
  operators["NonZero"] = [](const Node& node) { return Tensors{transpose(nonzero(node.in()), 0, 1)}; };
  operators["DepthToSpace"] = [](const Node& node) { return Tensors{blocks(node, true)}; };
  operators["SpaceToDepth"] = [](const Node& node) { return Tensors{blocks(node, false)}; };
  operators["Constant"] = [](const Node& node) {
    if (node.given("value"))
      return Tensors{node.file->tensors.at(node.attributes["value"]["tensor"].get<std::string>())};
    if (node.given("value_int")) return Tensors{indices({node.get<std::int64_t>("value_int", 0)}).view({})};
    if (node.given("value_float")) return Tensors{scalar(node.get("value_float", 0.0f))};
    if (node.given("value_ints")) return Tensors{of_ints(node.get("value_ints", Ints()))};
    throw Missing("a constant of another kind");
  };
  operators["ConstantOfShape"] = [](const Node& node) {
    const Tensor value =
        node.given("value") ? node.file->tensors.at(node.attributes["value"]["tensor"].get<std::string>()) : zeros({1});
    return Tensors{broadcast(reshape(value, Shape{}), shape_of(ints(node.in())))};
  };
  operators["CumSum"] = [](const Node& node) {
    return Tensors{cumsum(node.in(), static_cast<int>(number(node.in(1))),
                          {node.get<int>("reverse", 0) != 0, node.get<int>("exclusive", 0) != 0})};
  };
  operators["TopK"] = [](const Node& node) {
    const std::int64_t k =
        node.given("k") ? node.get<std::int64_t>("k", 1) : static_cast<std::int64_t>(number(node.in(1)));
    const Sorted top = topk(
        node.in(), k,
        {.axis = static_cast<int>(node.get<std::int64_t>("axis", -1)), .largest = node.get<int>("largest", 1) != 0});
    return Tensors{top.values, top.indices};
  };
}

}  // namespace temper::onnx
