// Operations one by one, those that no bundled model has among them.

#include <tuple>

#include <temper/temper.hpp>

#include "tests/exchange/onnx_writer.hpp"

namespace temper::exchange {

namespace {

void write_functions(const Writer& writer) {
  const Tensor numbers = normal({5, 3, 4}), positives = uniform({5, 3, 4}, 0.2f, 3.0f),
               fractions = uniform({5, 3, 4}, -0.9f, 0.9f);
  writer.write("functions", {{"x", numbers}, {"positive", positives}, {"small", fractions}}, [](const Given& in) {
    const auto& [x, positive, small] = std::tie(in[0], in[1], in[2]);
    return Given{neg(x),
                 exp(x),
                 log(positive),
                 sqrt(positive),
                 abs(x),
                 relu(x),
                 tanh(x),
                 sigmoid(x),
                 softplus(x),
                 sin(x),
                 cos(x),
                 tan(small),
                 asin(small),
                 acos(small),
                 atan(x),
                 sinh(x),
                 cosh(x),
                 asinh(x),
                 acosh(positive + 1),
                 atanh(small),
                 erf(x),
                 sign(x),
                 floor(x),
                 ceil(x),
                 round(2.5f * x),
                 trunc(3 * x),
                 reciprocal(positive),
                 rsqrt(positive),
                 square(x),
                 expm1(x),
                 log1p(positive),
                 gelu(x),
                 gelu(x, GeluForm::tanh),
                 silu(x),
                 mish(x),
                 softsign(x),
                 hardsigmoid(3 * x),
                 hardswish(3 * x),
                 clamp(x, -0.5f, 0.7f),
                 hardtanh(x),
                 relu6(5 * x),
                 leaky_relu(x, 0.1f),
                 elu(x, 0.7f),
                 selu(x),
                 celu(x, 0.6f),
                 softshrink(x),
                 hardshrink(x),
                 threshold(x, 0.2f, -3.0f),
                 logsigmoid(x),
                 tanhshrink(x),
                 swiglu(x),
                 geglu(x),
                 geglu(x, GeluForm::tanh),
                 reglu(x),
                 glu(x)};
  });
}

void write_arithmetic(const Writer& writer) {
  const Tensor numbers = normal({5, 3, 4}), others = normal({5, 3, 4}), positives = uniform({5, 3, 4}, 0.2f, 3.0f);
  writer.write("arithmetic", {{"x", numbers}, {"y", others}, {"positive", positives}}, [](const Given& in) {
    const auto& [x, y, positive] = std::tie(in[0], in[1], in[2]);
    return Given{x + y,
                 x - y,
                 x * y,
                 x / positive,
                 maximum(x, y),
                 minimum(x, y),
                 pow(positive, x),
                 pow(x, 2.0),
                 pow(positive, 1.5),
                 1 - x,
                 2 / positive,
                 x / 3,
                 x - 2,
                 3 * x + 1,
                 logaddexp(x, y),
                 div(x, positive, RoundingMode::floor),
                 div(x, positive, RoundingMode::trunc),
                 remainder(x, positive),
                 fmod(x, positive),
                 where(greater(x, y), x, y),
                 masked_fill(x, less_equal(x, y), 7.0),
                 to(greater_equal(x, y), Dtype::f32),
                 to(x * 3, Dtype::i64),
                 to(round(x), Dtype::boolean),
                 isnan(x),
                 isfinite(x),
                 isinf(x / 0.0f),
                 equal(round(x), round(y)),
                 not_equal(round(x), round(y)),
                 less(x, y),
                 stop_gradient(x).clone()};
  });
}

void write_whole_numbers(const Writer& writer) {
  const Tensor whole = random_ids({5, 3, 4}, 20) - 10, divisors = random_ids({5, 3, 4}, 4) + 1;
  writer.write("whole_numbers", {{"x", whole}, {"y", divisors}}, [](const Given& in) {
    const auto& [x, y] = std::tie(in[0], in[1]);
    return Given{x + y,
                 x - y,
                 x * y,
                 x / y,
                 maximum(x, y),
                 minimum(x, y),
                 -x,
                 abs(x),
                 clamp(x, -3, 4),
                 sign(x),
                 square(x),
                 2 * x - 1,
                 div(x, y, RoundingMode::floor),
                 div(x, y, RoundingMode::trunc),
                 remainder(x, y),
                 fmod(x, y),
                 sum(x, {1}),
                 max(x, {2}),
                 min(x, {1, 2}),
                 logical_and(greater(x, y), less(y, x * 2)),
                 logical_or(greater(x, y), less(y, x)),
                 logical_xor(greater(x, y), less(y, x)),
                 logical_not(greater(x, y)),
                 any(greater(x, y), {1}),
                 all(greater(x, y), {2}),
                 count_nonzero(x, {1}),
                 one_hot(y, 5),
                 argmax(x, 1),
                 cumsum(x, 1)};
  });
}

void write_arrangements(const Writer& writer) {
  const Tensor numbers = normal({5, 3, 4}), others = normal({5, 3, 4});
  writer.write("arrangements", {{"x", numbers}, {"y", others}, {"places", random_ids({5, 2, 4}, 3)}},
               [](const Given& in) {
                 const auto& [x, y, places] = std::tie(in[0], in[1], in[2]);
                 return Given{reshape(x, {-1, 12}),
                              flatten(x),
                              transpose(x, 1, 2),
                              permute(x, {2, 0, 1}),
                              unsqueeze(x, 1),
                              squeeze(unsqueeze(x, 2), 2),
                              slice(x, 1, 1, 3),
                              slice(x, 2, 0, 4, 2),
                              x.rows(0, 1),
                              slice(x, 0, 0, x.size(0) - 1 + 1),
                              flip(x, {1, -1}),
                              roll(x, 1, 2),
                              roll(x, 1, 0),
                              concat({x, y}, 1),
                              concat({x, y}, 0),
                              stack({x, y}, 1),
                              expand(unsqueeze(x, 1), {x.size(0), 2, 3, 4}),
                              pad(x, {{0, 0}, {1, 2}, {0, 1}}, 0.5f),
                              tril(x, 1),
                              triu(x, -1),
                              gather(x, 1, places),
                              index_select(x, 1, indices({2, 0, 0})),
                              scatter(x, 1, places, slice(y, 1, 0, 2)),
                              scatter_add(x, 1, places, slice(y, 1, 0, 2)),
                              tile(x, {1, 2, 1}),
                              repeat_interleave(x, 2, 2),
                              x + zeros({x.size(0), 1, 1}),
                              reshape(x, {x.size(0) * 3, 4})};
               });
}

void write_reductions(const Writer& writer) {
  const Tensor numbers = normal({5, 3, 4}), positives = uniform({5, 3, 4}, 0.2f, 3.0f);
  writer.write("reductions", {{"x", numbers}, {"positive", positives}}, [](const Given& in) {
    const auto& [x, positive] = std::tie(in[0], in[1]);
    const auto [values, places] = topk(x, 2);
    const auto [sorted, order] = sort(x, 1);
    return Given{sum(x),
                 sum(x, {1}),
                 sum(x, {0, -1}, {.keepdim = true}),
                 mean(x),
                 mean(x, {0}),
                 max(x, {1}),
                 min(x, {2}),
                 prod(x, {1}),
                 prod(x, {1, 2}, {.keepdim = true}),
                 var(x, {1}),
                 var(x, {0, 2}, {.correction = 0}),
                 temper::std(x, {1, 2}),
                 norm(x, 2.0, {1}),
                 norm(x, 3.0, {2}),
                 norm(x, 1.0, {1}),
                 logsumexp(x, {2}),
                 argmax(x),
                 argmin(x, 1, {.keepdim = true}),
                 cumsum(x, 1),
                 cumsum(x, 2, {.reverse = true, .exclusive = true}),
                 values,
                 places,
                 sorted,
                 order,
                 argsort(x, 2, true),
                 softmax(x),
                 softmax(x, 1),
                 log_softmax(x, 0),
                 normalize(x)};
  });
}

void write_products(const Writer& writer) {
  const Tensor numbers = normal({5, 3, 4}), others = normal({5, 3, 4});
  const Tensor weight = normal({6, 4}), bias = normal({6}), table = normal({9, 4});
  writer.write("products", {{"x", numbers}, {"y", others}, {"ids", random_ids({5, 3}, 9)}}, [=](const Given& in) {
    const auto& [x, y, ids] = std::tie(in[0], in[1], in[2]);
    const Tensor rows = reshape(x, {-1, 4});
    return Given{matmul(x, y, {.transpose_b = true}),
                 matmul(x, y, {.transpose_a = true}),
                 matmul(x, transpose(weight, 0, 1)),
                 linear(x, weight, bias),
                 linear(x, weight),
                 linear(rows, weight, bias),
                 linear_relu(x, weight, bias),
                 linear_gelu(rows, weight, bias, GeluForm::tanh),
                 linear_silu(x, weight, bias),
                 embedding(ids, table),
                 embedding_bag(ids, table, Tensor(), {.mode = BagMode::sum}),
                 embedding_bag(ids, table, Tensor(), {.mode = BagMode::max}),
                 embedding_bag(ids, table),
                 einsum("nij,nkj->nik", {x, y})};
  });
}

void write_norms(const Writer& writer) {
  const Tensor numbers = normal({5, 3, 4});
  const Tensor gain = uniform({4}, 0.5f, 1.5f), shift = normal({4});
  writer.write("norms", {{"x", numbers}}, [=](const Given& in) {
    const Tensor& x = in[0];
    return Given{layer_norm(x, gain, shift),
                 layer_norm(x, ones({3, 4}), zeros({3, 4})),
                 rms_norm(x, gain),
                 group_norm(x, 2, gain, shift),
                 instance_norm(x),
                 add_layer_norm(x, x * 2, gain, shift).norm,
                 batch_norm(x, gain, shift, shift.clone(), gain.clone())};
  });
}

void write_attention(const Writer& writer) {
  const Tensor queries = normal({5, 6, 7, 4}), keys = normal({5, 2, 9, 4}), contents = normal({5, 2, 9, 3}),
               projections = normal({5, 7, 24});
  const Tensor scores = normal({1, 6, 7, 9}), masks = greater(uniform({5, 1, 1, 9}), scalar(0.4f));
  const Tensor rotations = rotary_table(20, 4);
  writer.write("attention", {{"q", queries}, {"k", keys}, {"v", contents}, {"projected", projections}, {"mask", masks}},
               [=](const Given& in) {
                 const Tensor &q = in[0], &k = in[1], &v = in[2], &projected = in[3], &mask = in[4];
                 const auto attend = [&](const AttentionOptions& options) {
                   return scaled_dot_product_attention(q, k, v, options);
                 };
                 return Given{attend({}),
                              attend({.causal = true, .scale = 0.7f}),
                              attend({.bias = scores}),
                              attend({.mask = mask, .window = {2, 3}, .empty_rows = EmptyRows::zero}),
                              attend({.mask = mask, .bias = scores, .empty_rows = EmptyRows::zero}),
                              self_attention(projected, 2, {.causal = true}),
                              self_attention(projected, 4, {.window = {1, 1}}),
                              scaled_dot_product_attention(reshape(q, {-1, 7, 4}), reshape(q, {-1, 7, 4}),
                                                           reshape(q, {-1, 7, 4})),
                              rotary_embedding(q, rotations, {.offset = 3}),
                              rotary_embedding(q, rotary_table(20, 2), {.interleaved = true}),
                              rotary_embedding(q, rotations, {.positions = indices({4, 3, 2, 2, 0, 19, 7})})};
               });
}

void write_images(const Writer& writer) {
  const Tensor images = normal({5, 8, 6, 4}), kernel = normal({6, 2, 3, 3}), back = normal({4, 3, 3, 2}),
               six = normal({6}), three = normal({3});
  writer.write("images", {{"x", images}}, [=](const Given& in) {
    const Tensor& x = in[0];
    return Given{conv2d(x, kernel, six, {.stride = {2, 1}, .padding = {1, 0}, .groups = 2}),
                 conv2d(x, kernel, Tensor(), {.padding = {{0, 1}, {2, 1}}, .dilation = 2, .groups = 2}),
                 conv_transpose2d(x, back, three, {.stride = 2, .padding = 1, .output_padding = {1, 0}}),
                 max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true}),
                 max_pool2d(x, {.kernel = 2, .dilation = 2}),
                 max_pool2d_relu(x, {.kernel = 2}),
                 avg_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1}),
                 avg_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1, .count_include_pad = false}),
                 avg_pool2d(x, {.kernel = 3, .stride = 2, .ceil_mode = true}),
                 adaptive_avg_pool2d(x, {4, 2}),
                 global_avg_pool2d(x),
                 interpolate(x, {5, 9}),
                 interpolate(x, {11, 4}, {.mode = Interpolation::bilinear}),
                 interpolate(x, {16, 12}, {.mode = Interpolation::bicubic, .align_corners = true}),
                 pixel_shuffle(x, 2),
                 pixel_unshuffle(x, 2),
                 flatten_chw(x)};
  });
}

void write_recurrent(const Writer& writer) {
  const nn::LSTM lstm(4, 3, {.layers = 2, .bidirectional = true});
  const nn::GRU gru(4, 3, {.bias = false, .bidirectional = true});
  const nn::RNN rnn(4, 3);
  writer.write("recurrent", lstm, {{"x", normal({5, 6, 4})}, {"lengths", random_ids({5}, 6) + 1}},
               [&](const Given& in) {
                 const auto a = lstm(in[0], {.lengths = in[1]});
                 const auto b = gru(in[0]);
                 const auto c = rnn(in[0]);
                 return Given{a.y, a.h, a.c, b.y, b.h, c.y, c.h};
               });
}

}  // namespace

void write_onnx_operations(const std::filesystem::path& folder) {
  manual_seed(3);
  const NoTape evaluation;
  const Writer writer(folder);
  for (const auto write : {write_functions, write_arithmetic, write_whole_numbers, write_arrangements, write_reductions,
                           write_products, write_norms, write_attention, write_images, write_recurrent}) {
    write(writer);
  }
}

}  // namespace temper::exchange
