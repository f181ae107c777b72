// Convolutions, pooling and resizing, of one to three dimensions. Temper's images are [N, H, W, C]; one dimension is a
// row.

#include <algorithm>
#include <cmath>

#include "tests/onnx/node.hpp"

namespace temper::onnx {

namespace {

/// How windows lie along the axes behind the channels.
struct Windows {
  Ints kernel, stride, dilation, before, after;
  bool ceil_mode = false;

  std::size_t axes() const { return kernel.size(); }
};

Windows windows_of(const Node& node, const Ints& kernel, const Ints& sizes) {
  const Ints one(kernel.size(), 1);
  Windows w{node.get("kernel_shape", kernel), node.get("strides", one), node.get("dilations", one), {}, {}, false};
  w.ceil_mode = node.get<int>("ceil_mode", 0) != 0;
  const Ints pads = node.get("pads", Ints(2 * kernel.size(), 0));
  const std::string automatic = node.get<std::string>("auto_pad", "NOTSET");
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    if (automatic != "SAME_UPPER" && automatic != "SAME_LOWER") {
      w.before.push_back(automatic == "VALID" ? 0 : pads[i]);
      w.after.push_back(automatic == "VALID" ? 0 : pads[kernel.size() + i]);
      continue;
    }
    const std::int64_t count = (sizes[i] + w.stride[i] - 1) / w.stride[i];
    const std::int64_t total =
        std::max<std::int64_t>(0, (count - 1) * w.stride[i] + w.dilation[i] * (w.kernel[i] - 1) + 1 - sizes[i]);
    w.before.push_back(automatic == "SAME_UPPER" ? total / 2 : total - total / 2);
    w.after.push_back(total - w.before.back());
  }
  return w;
}

/// The sizes behind the channels.
Ints spatial(const Tensor& x) { return {x.shape().begin() + 2, x.shape().end()}; }

Padding padding_at(const Windows& w, std::size_t axis) { return {w.before[axis], w.after[axis]}; }

Tensor convolution(const Node& node, const Tensor& input, const Tensor& weight, const Tensor& bias) {
  const Windows w = windows_of(node, spatial(weight), spatial(input));
  const std::int64_t groups = node.get<std::int64_t>("group", 1);
  Tensor x = channels_last(input);
  if (w.axes() == 1)
    return channels_first(conv1d(x, weight, bias, {w.stride[0], padding_at(w, 0), w.dilation[0], groups}));
  if (w.axes() == 2) {
    return channels_first(conv2d(x, weight, bias,
                                 {.stride = {w.stride[0], w.stride[1]},
                                  .padding = {padding_at(w, 0), padding_at(w, 1)},
                                  .dilation = {w.dilation[0], w.dilation[1]},
                                  .groups = groups}));
  }
  if (w.axes() != 3) throw Missing("convolutions of more than three dimensions");
  x = pad(x, {{0, 0}, padding_at(w, 0), padding_at(w, 1), padding_at(w, 2), {0, 0}});
  return channels_first(conv3d(x, weight, bias,
                               {.stride = {w.stride[0], w.stride[1], w.stride[2]},
                                .dilation = {w.dilation[0], w.dilation[1], w.dilation[2]},
                                .groups = groups}));
}

Tensor transposed(const Node& node) {
  const Tensor &input = node.in(), &weight = node.in(1);
  Windows w = windows_of(node, spatial(weight), spatial(input));
  const std::size_t axes = w.axes();
  if (axes > 2) throw Missing("transposed convolutions of three dimensions");
  Ints more = node.get("output_padding", Ints(axes, 0));
  const std::string automatic = node.get<std::string>("auto_pad", "NOTSET");
  const Ints wanted = node.get("output_shape", Ints());
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t size = input.size(static_cast<int>(i) + 2);
    const std::int64_t whole = (size - 1) * w.stride[i] + w.dilation[i] * (w.kernel[i] - 1) + 1 + more[i];
    const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
    if (wanted.empty() && !same) continue;
    const std::int64_t target = wanted.empty() ? size * w.stride[i] : wanted[wanted.size() - axes + i];
    const std::int64_t total = whole - target;
    w.before[i] = automatic == "SAME_UPPER" || total < 0 ? total / 2 : total - total / 2;
    w.after[i] = total - w.before[i];
  }
  // Without padding, then what is beyond is cut off, or there is more at the end.
  const Tensor bias = node.has(2) ? node.in(2) : Tensor();
  const std::int64_t groups = node.get<std::int64_t>("group", 1);
  const Tensor x = channels_last(input);
  Tensor y =
      axes == 1
          ? conv_transpose1d(x, weight, Tensor(), {.stride = w.stride[0], .dilation = w.dilation[0], .groups = groups})
          : conv_transpose2d(
                x, weight, Tensor(),
                {.stride = {w.stride[0], w.stride[1]}, .dilation = {w.dilation[0], w.dilation[1]}, .groups = groups});
  for (std::size_t i = 0; i < axes; ++i) {
    const int axis = static_cast<int>(i) + 1;
    std::vector<Padding> ends(static_cast<std::size_t>(y.rank()));
    ends[i + 1].after = std::max<std::int64_t>(0, more[i] - w.after[i]);
    ends[i + 1].before = std::max<std::int64_t>(0, -w.before[i]);
    y = pad(y, ends);
    const std::int64_t begin = std::max<std::int64_t>(0, w.before[i]);
    y = slice(y, axis, begin, y.size(axis) - std::max<std::int64_t>(0, w.after[i] - more[i]));
  }
  return channels_first(bias.defined() ? y + bias : y);
}

/// A pool of [N, H, W, C]: `largest`, or the mean, which counts the padding or does not.
Tensor pooled2(const Tensor& given, const Windows& w, bool largest, bool counted) {
  const Pair2 kernel(w.kernel[0], w.kernel[1]), stride(w.stride[0], w.stride[1]),
      dilation(w.dilation[0], w.dilation[1]);
  const Padding2 padding(padding_at(w, 0), padding_at(w, 1));
  const bool fits =
      std::max(w.before[0], w.after[0]) <= w.kernel[0] / 2 && std::max(w.before[1], w.after[1]) <= w.kernel[1] / 2;
  if (fits && largest) {
    return max_pool2d(
        given,
        {.kernel = kernel, .stride = stride, .padding = padding, .ceil_mode = w.ceil_mode, .dilation = dilation});
  }
  const bool dense = dilation == Pair2(1);
  if (fits && dense) {
    return avg_pool2d(given, {.kernel = kernel,
                              .stride = stride,
                              .padding = padding,
                              .count_include_pad = counted,
                              .ceil_mode = w.ceil_mode});
  }
  if (!dense && !largest) throw Missing("dilated means");
  // More padding than half the kernel.
  const auto with_padding = [&](const Tensor& x, float value) {
    return pad(x, {{0, 0}, padding.h, padding.w, {0, 0}}, value);
  };
  if (largest) {
    return max_pool2d(with_padding(given, -HUGE_VALF),
                      {.kernel = kernel, .stride = stride, .ceil_mode = w.ceil_mode, .dilation = dilation});
  }
  const auto mean = [&](const Tensor& x) {
    return avg_pool2d(with_padding(x, 0.0f), {.kernel = kernel, .stride = stride, .ceil_mode = w.ceil_mode});
  };
  return counted ? mean(given) : mean(given) / mean(ones(given.shape()));
}

Windows only(const Windows& w, std::vector<std::size_t> axes) {
  Windows some{{}, {}, {}, {}, {}, w.ceil_mode};
  for (const std::size_t axis : axes) {
    some.kernel.push_back(axis < w.axes() ? w.kernel[axis] : 1);
    some.stride.push_back(axis < w.axes() ? w.stride[axis] : 1);
    some.dilation.push_back(axis < w.axes() ? w.dilation[axis] : 1);
    some.before.push_back(axis < w.axes() ? w.before[axis] : 0);
    some.after.push_back(axis < w.axes() ? w.after[axis] : 0);
  }
  return some;
}

Tensor pooled(const Node& node, bool largest) {
  if (node.wants(1)) throw Missing("the places of maxima as an output");
  const Tensor& given = node.in();
  const Windows w = windows_of(node, node.get("kernel_shape", Ints()), spatial(given));
  const bool counted = node.get<int>("count_include_pad", 0) != 0;
  const Tensor x = channels_last(to(given, Dtype::f32));
  Tensor y;
  const std::int64_t n = x.size(0), c = x.size(-1);
  if (w.axes() == 1) {
    y = squeeze(pooled2(unsqueeze(x, 1), only(w, {9, 0}), largest, counted), 1);
  } else if (w.axes() == 2) {
    y = pooled2(x, w, largest, counted);
  } else {  // rows and columns of each slice, then the slices
    if (!largest && !counted && std::ranges::any_of(w.before, [](auto p) { return p > 0; })) {
      throw Missing("means in three dimensions that leave out the padding");
    }
    const std::int64_t d = x.size(1);
    y = pooled2(reshape(x, Shape{n * d, x.size(2), x.size(3), c}), only(w, {1, 2}), largest, counted);
    const std::int64_t h = y.size(1), across = y.size(2);
    y = pooled2(reshape(y, Shape{n, d, h * across, c}), only(w, {0, 9}), largest, counted);
    y = reshape(y, Shape{n, y.size(1), h, across, c});
  }
  return to(channels_first(y), given.dtype());
}

/// How much of each place of an axis goes into each place of the resized one.
struct Resizing {
  std::string mode, coordinates, nearest;
  double cubic, outside_value;
  bool exclude_outside;
};

double place_in(const Resizing& how, double at, double scale, double in, double out, double begin, double end) {
  if (how.coordinates == "align_corners") return out == 1 ? 0 : at * (in - 1) / (scale * in - 1);
  if (how.coordinates == "asymmetric") return at / scale;
  if (how.coordinates == "pytorch_half_pixel") return out > 1 ? (at + 0.5) / scale - 0.5 : 0;
  if (how.coordinates == "tf_half_pixel_for_nn") return (at + 0.5) / scale;
  if (how.coordinates == "tf_crop_and_resize") {
    return out > 1 ? begin * (in - 1) + at * (end - begin) * (in - 1) / (out - 1) : 0.5 * (begin + end) * (in - 1);
  }
  return (at + 0.5) / scale - 0.5;
}

double rounded(const Resizing& how, double x) {
  if (how.nearest == "floor") return std::floor(x);
  if (how.nearest == "ceil") return std::ceil(x);
  return how.nearest == "round_prefer_ceil" ? std::floor(x + 0.5) : std::ceil(x - 0.5);
}

/// The weights of the places first, first + 1, ... around x.
std::vector<double> weights_of(const Resizing& how, double x, std::int64_t& first) {
  if (how.mode == "nearest") {
    first = static_cast<std::int64_t>(rounded(how, x));
    return {1};
  }
  const double whole = std::floor(x), f = x - whole, a = how.cubic;
  first = static_cast<std::int64_t>(whole);
  if (how.mode == "linear") return {1 - f, f};
  --first;
  const auto far = [a](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  const auto near = [a](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  return {far(1 + f), near(f), near(1 - f), far(2 - f)};
}

/// x resized along an axis, by a product with a matrix; `outside` gets 1 where the place is outside of x.
Tensor resized(const Tensor& x, int axis, std::int64_t out, double scale, double begin, double end,
               const Resizing& how) {
  const std::int64_t in = x.size(axis);
  Tensor matrix = zeros({in, out});
  float* const to_fill = matrix.mutable_data<float>();
  for (std::int64_t i = 0; i < out; ++i) {
    const double place =
        place_in(how, static_cast<double>(i), scale, static_cast<double>(in), static_cast<double>(out), begin, end);
    std::int64_t first = 0;
    std::vector<double> weights = weights_of(how, place, first);
    double total = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const std::int64_t at = first + static_cast<std::int64_t>(k);
      if (how.exclude_outside && (at < 0 || at >= in)) weights[k] = 0;
      total += weights[k];
    }
    for (std::size_t k = 0; k < weights.size(); ++k) {
      const std::int64_t at = std::clamp<std::int64_t>(first + static_cast<std::int64_t>(k), 0, in - 1);
      to_fill[at * out + i] += static_cast<float>(weights[k] / (how.exclude_outside ? total : 1));
    }
  }
  return transpose(matmul(transpose(x, axis, -1), matrix), axis, -1);
}

Tensor resize(const Node& node) {
  const Tensor given = node.in();
  const std::string mode = node.get<std::string>("mode", "nearest");
  const Resizing how{
      mode,
      node.get<std::string>("coordinate_transformation_mode", node.op == "Upsample" ? "asymmetric" : "half_pixel"),
      node.get<std::string>("nearest_mode", node.op == "Upsample" ? "floor" : "round_prefer_floor"),
      node.get("cubic_coeff_a", -0.75),
      node.get("extrapolation_value", 0.0),
      node.get<int>("exclude_outside", 0) != 0};
  const std::size_t scales_at = node.op == "Upsample" || node.opset < 11 ? 1 : 2;
  const bool by_size = node.has(3) && node.in(3).numel() > 0;
  const Tensor scales = by_size ? Tensor() : node.in(scales_at);
  Tensor x = to(given, Dtype::f32);
  for (int axis = 0; axis < given.rank(); ++axis) {
    const std::int64_t in = given.size(axis);
    const std::int64_t out =
        by_size ? ints(node.in(3))[static_cast<std::size_t>(axis)]
                : static_cast<std::int64_t>(static_cast<double>(in) * static_cast<double>(scales.data<float>()[axis]));
    const double scale =
        by_size ? static_cast<double>(out) / static_cast<double>(in) : static_cast<double>(scales.data<float>()[axis]);
    double begin = 0, end = 1;
    if (how.coordinates == "tf_crop_and_resize") {
      begin = static_cast<double>(node.in(1).data<float>()[axis]);
      end = static_cast<double>(node.in(1).data<float>()[given.rank() + axis]);
      if (begin < 0 || end > 1) throw Missing("values outside of the image when cropping");
    }
    if (out != in || how.coordinates == "tf_crop_and_resize") x = resized(x, axis, out, scale, begin, end, how);
  }
  return x;
}

/// The same by Temper's own interpolate, where that has the options.
Tensor resize_or_interpolate(const Node& node) {
  const Tensor& x = node.in();
  const std::string mode = node.get<std::string>("mode", "nearest"),
                    coordinates = node.get<std::string>("coordinate_transformation_mode", "half_pixel");
  const bool smooth = (mode == "linear" || mode == "cubic") &&
                      (coordinates == "half_pixel" || coordinates == "align_corners") &&
                      node.get("cubic_coeff_a", -0.75) == -0.75 && node.get<int>("exclude_outside", 0) == 0;
  if (smooth && node.op == "Resize" && node.opset >= 11 && x.rank() == 4) {
    Ints out = sizes_of(x.shape());
    bool exact = true;
    if (node.has(3) && node.in(3).numel() > 0) {
      out = ints(node.in(3));
    } else {
      for (int i = 0; i < 4; ++i) {
        const double size = static_cast<double>(x.size(i)) * static_cast<double>(node.in(2).data<float>()[i]);
        out[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(size);
        exact = exact && std::abs(size - std::round(size)) < 1e-6;
      }
    }
    if (exact && out[0] == x.size(0) && out[1] == x.size(1)) {
      return channels_first(interpolate(channels_last(x), {out[2], out[3]},
                                        {.mode = mode == "linear" ? Interpolation::bilinear : Interpolation::bicubic,
                                         .align_corners = coordinates == "align_corners"}));
    }
  }
  return resize(node);
}

Axes behind_channels(const Tensor& x) {
  Ints axes;
  for (int i = 2; i < x.rank(); ++i) axes.push_back(i);
  return axes_of(axes);
}

/// Local response normalization: what neighbouring channels have in common.
Tensor response(const Node& node) {
  const Tensor x = channels_last(node.in());
  const std::int64_t size = node.get<std::int64_t>("size", 1), before = (size - 1) / 2;
  std::vector<Padding> ends(static_cast<std::size_t>(x.rank()));
  ends.back() = {before, size - 1 - before};
  const Tensor squares = pad(square(x), ends);
  Tensor total = zeros({});
  for (std::int64_t i = 0; i < size; ++i) total = total + slice(squares, -1, i, i + x.size(-1));
  const Tensor scale = node.get("bias", 1.0f) + node.get("alpha", 1e-4f) / static_cast<float>(size) * total;
  return channels_first(x / pow(scale, static_cast<double>(node.get("beta", 0.75f))));
}

}  // namespace

void add_images(Operators& operators) {
  operators["Conv"] = [](const Node& node) {
    return Tensors{convolution(node, node.in(), node.in(1), node.has(2) ? node.in(2) : Tensor())};
  };
  operators["ConvInteger"] = [](const Node& node) {
    const auto centred = [&](std::size_t i) {
      const Tensor x = to(node.in(i), Dtype::f32);
      return node.has(i + 2) ? x - to(node.in(i + 2), Dtype::f32) : x;
    };
    return Tensors{to(convolution(node, centred(0), centred(1), Tensor()), Dtype::i64)};
  };
  operators["ConvTranspose"] = [](const Node& node) { return Tensors{transposed(node)}; };
  operators["MaxPool"] = [](const Node& node) { return Tensors{pooled(node, true)}; };
  operators["AveragePool"] = [](const Node& node) { return Tensors{pooled(node, false)}; };
  operators["GlobalAveragePool"] = [](const Node& node) {
    return Tensors{mean(node.in(), behind_channels(node.in()), {.keepdim = true})};
  };
  operators["GlobalMaxPool"] = [](const Node& node) {
    return Tensors{max(node.in(), behind_channels(node.in()), {.keepdim = true})};
  };
  operators["Resize"] = operators["Upsample"] = [](const Node& node) { return Tensors{resize_or_interpolate(node)}; };
  operators["LRN"] = [](const Node& node) { return Tensors{response(node)}; };
  operators["MaxUnpool"] = [](const Node& node) {
    const Tensor& x = node.in();
    const Ints kernel = node.get("kernel_shape", Ints()), stride = node.get("strides", kernel);
    Ints sizes = sizes_of(x.shape());
    for (std::size_t i = 0; i < kernel.size(); ++i) sizes[i + 2] = (sizes[i + 2] - 1) * stride[i] + kernel[i];
    std::int64_t count = 1;
    for (const std::int64_t size : sizes) count *= size;
    const Tensor y =
        reshape(scatter(zeros({count}), 0, reshape(node.in(1), Shape{x.numel()}), reshape(x, Shape{x.numel()})),
                shape_of(sizes));
    if (!node.has(2)) return Tensors{y};
    std::vector<Padding> ends;
    const Ints wanted = ints(node.in(2));
    for (std::size_t i = 0; i < wanted.size(); ++i) ends.push_back({0, wanted[i] - sizes[i]});
    return Tensors{pad(y, ends)};
  };
}

}  // namespace temper::onnx
