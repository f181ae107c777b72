#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <temper/io/onnx.hpp>
#include <temper/models/bert/heads.hpp>
#include <temper/models/cartpole/actor_critic.hpp>
#include <temper/models/cnn/cnn.hpp>
#include <temper/models/forecast/forecast.hpp>
#include <temper/models/generate/unet.hpp>
#include <temper/models/generate/vae.hpp>
#include <temper/models/gpt/gpt.hpp>
#include <temper/models/llama/llama.hpp>
#include <temper/models/mlp/mlp.hpp>
#include <temper/models/resnet/resnet.hpp>
#include <temper/models/tabular/tabular.hpp>
#include <temper/models/word2vec/word2vec.hpp>
#include <temper/temper.hpp>

#include "tests/exchange/exchange.hpp"

namespace temper::exchange {

namespace {

using Inputs = std::vector<OnnxInput>;
using Given = std::vector<Tensor>;

/// Whole numbers from 0 to below `end`.
Tensor random_ids(const Shape& shape, std::int64_t end) {
  return to(floor(uniform(shape, 0.0f, static_cast<float>(end) - 0.01f)), Dtype::i64);
}

class Writer {
 public:
  explicit Writer(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Exports a program by the first two examples of its inputs, and records what it gives for all of them, and for one.
  template <class M>
  void write(const std::string& name, const M& model, const Inputs& inputs, const OnnxProgram& program,
             const OnnxOptions& options = {}) const {
    const auto examples = [&](std::int64_t count) {
      Inputs some = inputs;
      for (OnnxInput& input : some) {
        if (input.batched) input.example = input.example.rows(0, count).clone();
      }
      return some;
    };
    std::filesystem::create_directories(folder_);
    export_onnx(folder_ / (name + ".onnx"), model, examples(2), program, options);
    Tensors recorded;
    for (const std::int64_t count : {1, 2, 5}) {
      Given given;
      const std::string run = std::to_string(count);
      for (const auto& [input, example, batched] : examples(count)) {
        given.push_back(example);
        recorded.emplace(run + ".in." + input, example);
      }
      const std::vector<Tensor> outputs = program(given);
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        recorded.emplace(run + ".out." + std::to_string(i),
                         to(outputs[i], outputs[i].dtype() == Dtype::bf16 ? Dtype::f32 : outputs[i].dtype()));
      }
    }
    save_tensors(folder_ / (name + ".safetensors"), recorded);
  }

  void write(const std::string& name, const nn::Layer& layer, const Tensor& examples,
             const OnnxOptions& options = {}) const {
    write(
        name, layer, {{"input", examples}}, [&](const Given& in) { return Given{layer(in[0])}; }, options);
  }

 private:
  std::filesystem::path folder_;
};

/// Statistics as after training, which differ from channel to channel.
template <class M>
void scatter_statistics(const M& model) {
  for (const nn::Buffer& buffer : model.buffers()) {
    if (buffer.name.ends_with("running_mean"))
      Tensor(buffer.tensor).copy_from(normal(buffer.tensor.shape(), 0.0f, 0.2f));
    if (buffer.name.ends_with("running_var"))
      Tensor(buffer.tensor).copy_from(uniform(buffer.tensor.shape(), 0.5f, 2.0f));
  }
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.role() == Role::bias) Tensor(parameter.value()).copy_from(normal(parameter.shape(), 0.0f, 0.1f));
  }
}

void write_images(const Writer& writer) {
  const Tensor clothes = uniform({5, 28, 28, 1}), photos = normal({5, 32, 32, 3});
  const nn::Sequential mlp = models::mlp(), cnn = models::cnn();
  writer.write("mlp", mlp, clothes);
  writer.write("mlp_in_two_files", mlp, clothes, {.max_bytes = 1000});
  writer.write("cnn", cnn, clothes);
  const models::ResNet small({.blocks = {1, 1, 1}}),
      large({.blocks = {1, 1}, .width = 16, .classes = 7, .stem = models::ResNetStem::imagenet});
  scatter_statistics(small);
  scatter_statistics(large);
  writer.write("resnet", small, photos);
  writer.write("resnet_imagenet", large, photos);
  const models::Vae vae({.channels = 8});
  writer.write("vae_encoder", vae, {{"images", clothes}},
               [&](const Given& in) {
                 const auto [mean, log_variance] = vae.encode(in[0]);
                 return Given{mean, log_variance};
               },
               {.outputs = {"mean", "log_variance"}});
  writer.write("vae_decoder", vae, {{"codes", normal({5, 16})}},
               [&](const Given& in) { return Given{sigmoid(vae.decode(in[0]))}; });
  const models::Unet unet;
  for (const Parameter& parameter : unet.parameters()) {
    if (parameter.name().starts_with("last"))
      Tensor(parameter.value()).copy_from(normal(parameter.shape(), 0.0f, 0.1f));
  }
  writer.write("unet", unet, {{"images", normal({5, 28, 28, 1})}, {"times", random_ids({5}, 1000)}},
               [&](const Given& in) { return Given{unet(in[0], in[1])}; });
}

void write_texts(const Writer& writer) {
  const models::Gpt gpt({.vocabulary = 61, .context = 16, .layers = 2, .heads = 2, .width = 16, .init_deviation = 0.3});
  writer.write("gpt", gpt, random_ids({5, 16}, 61));
  const models::Gpt untied(
      {.vocabulary = 61, .context = 16, .layers = 2, .heads = 2, .width = 16, .tied = false, .init_deviation = 0.3});
  writer.write("gpt_shorter", untied, random_ids({5, 9}, 61));
  models::Llama llama({.vocabulary = 61,
                       .context = 16,
                       .layers = 2,
                       .heads = 6,
                       .kv_heads = 2,
                       .width = 24,
                       .hidden = 40,
                       .init_deviation = 0.3});
  writer.write("llama", llama, random_ids({5, 11}, 61));
  const models::Llama qwen({.vocabulary = 61,
                            .context = 16,
                            .layers = 2,
                            .heads = 2,
                            .width = 16,
                            .hidden = 40,
                            .rotary = {.llama3 = Llama3Scaling{.context = 8}},
                            .tied = false,
                            .qkv_bias = true,
                            .init_deviation = 0.3});
  writer.write("llama_with_biases", qwen, random_ids({5, 16}, 61));
  const nn::Lora adapters = nn::lora(llama, {.rank = 3, .targets = "*"});
  for (const Parameter& parameter : adapters.parameters())
    Tensor(parameter.value()).copy_from(normal(parameter.shape(), 0.0f, 0.3f));
  writer.write("llama_with_adapters", llama, random_ids({5, 11}, 61));

  const models::BertConfig config{
      .vocabulary = 61, .positions = 16, .layers = 2, .heads = 2, .width = 16, .hidden = 32, .init_deviation = 0.3};
  const Inputs inputs = {{"tokens", random_ids({5, 12}, 61)},
                         {"mask", models::length_mask(std::vector<std::int64_t>{12, 3, 7, 1, 9}, 12)},
                         {"token_types", random_ids({5, 12}, 2)}};
  const auto of = [](const Given& in) { return models::BertInputs{.mask = in[1], .token_types = in[2]}; };
  const models::BertForMaskedLM masked(config);
  const models::BertForClassification first(config, 3), mean(config, 3, models::BertPooling::mean);
  const models::BertForQuestionAnswering answering(config);
  writer.write("bert_masked", masked, inputs, [&](const Given& in) { return Given{masked(in[0], of(in))}; });
  writer.write("bert_classifier", first, inputs, [&](const Given& in) { return Given{first(in[0], of(in))}; });
  writer.write("bert_classifier_by_mean", mean, inputs, [&](const Given& in) { return Given{mean(in[0], of(in))}; });
  writer.write("bert_answers", answering, inputs, [&](const Given& in) {
    const auto [starts, ends] = answering(in[0], of(in));
    return Given{starts, ends};
  });
  if (nn::bf16_supported()) {
    const models::BertForClassification half(config, 3);
    nn::to_bf16(half);
    writer.write("bert_without_mask_bf16", half, {inputs[0]}, [&](const Given& in) { return Given{half(in[0])}; });
  }
  const models::Word2Vec words({.vocabulary = 61, .width = 8});
  for (const Parameter& parameter : words.parameters()) Tensor(parameter.value()).copy_from(normal(parameter.shape()));
  writer.write("word2vec", words, {{"words", random_ids({5}, 61)}, {"contexts", random_ids({5, 4}, 61)}},
               [&](const Given& in) { return Given{words(in[0], in[1])}; });
}

void write_numbers(const Writer& writer) {
  const models::ActorCritic agent;
  writer.write("cartpole", agent, {{"states", normal({5, 4})}}, [&](const Given& in) {
    return Given{agent.logits(in[0]), agent.values(in[0])};
  });
  using models::ForecastNetwork;
  for (const auto& [name, network] : {std::pair("lstm", ForecastNetwork::lstm),
                                      {"gru", ForecastNetwork::gru},
                                      {"convolution", ForecastNetwork::convolution}}) {
    const models::Forecast forecast({.network = network,
                                     .lookback = 20,
                                     .horizon = 6,
                                     .width = 12,
                                     .layers = network == ForecastNetwork::convolution ? 0 : 2});
    writer.write(std::string("forecast_") + name, forecast, normal({5, 20, 1}));
  }
  using models::NumericEmbedding;
  for (const auto& [name, embedding] : {std::pair("plain", NumericEmbedding::none),
                                        {"piecewise", NumericEmbedding::piecewise},
                                        {"periodic", NumericEmbedding::periodic}}) {
    models::Tabular table({.numbers = 3,
                           .categories = {4, 7},
                           .outputs = 3,
                           .embedding = embedding,
                           .bins = 6,
                           .frequencies = 5,
                           .frequency_deviation = 0.3,
                           .members = 4,
                           .width = 24});
    table.fit(normal({50, 3}));
    for (const Parameter& parameter : table.parameters()) {
      if (parameter.name() == "numeric.weight") Tensor(parameter.value()).copy_from(normal(parameter.shape()));
    }
    writer.write(std::string("tabular_") + name, table,
                 {{"numbers", normal({5, 3})}, {"categories", random_ids({5, 2}, 4)}}, [&](const Given& in) {
                   return Given{table(in[0], in[1]), table.predict(in[0], in[1])};
                 });
  }
}

/// Operations that the models do not have.
void write_operations(const Writer& writer) {
  const auto of = [&](const std::string& name, const Inputs& inputs, const OnnxProgram& program) {
    writer.write(name, nn::Linear(1, 1), inputs, program);
  };
  const Tensor numbers = normal({5, 3, 4}), others = normal({5, 3, 4}), positives = uniform({5, 3, 4}, 0.2f, 3.0f),
               fractions = uniform({5, 3, 4}, -0.9f, 0.9f);
  const Tensor whole = random_ids({5, 3, 4}, 20) - 10, divisors = random_ids({5, 3, 4}, 4) + 1;
  of("functions", {{"x", numbers}, {"positive", positives}, {"small", fractions}}, [](const Given& in) {
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
  of("arithmetic", {{"x", numbers}, {"y", others}, {"positive", positives}}, [](const Given& in) {
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
  of("whole_numbers", {{"x", whole}, {"y", divisors}}, [](const Given& in) {
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
  of("arrangements", {{"x", numbers}, {"y", others}, {"places", random_ids({5, 2, 4}, 3)}}, [](const Given& in) {
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
  of("reductions", {{"x", numbers}, {"positive", positives}}, [](const Given& in) {
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
  const Tensor weight = normal({6, 4}), bias = normal({6}), table = normal({9, 4});
  of("products", {{"x", numbers}, {"y", others}, {"ids", random_ids({5, 3}, 9)}}, [=](const Given& in) {
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
  const Tensor gain = uniform({4}, 0.5f, 1.5f), shift = normal({4});
  of("norms", {{"x", numbers}}, [=](const Given& in) {
    const Tensor& x = in[0];
    return Given{layer_norm(x, gain, shift),
                 layer_norm(x, ones({3, 4}), zeros({3, 4})),
                 rms_norm(x, gain),
                 group_norm(x, 2, gain, shift),
                 instance_norm(x),
                 add_layer_norm(x, x * 2, gain, shift).norm,
                 batch_norm(x, gain, shift, shift.clone(), gain.clone())};
  });
  const Tensor queries = normal({5, 6, 7, 4}), keys = normal({5, 2, 9, 4}), contents = normal({5, 2, 9, 3}),
               projections = normal({5, 7, 24});
  const Tensor scores = normal({1, 6, 7, 9}), masks = greater(uniform({5, 1, 1, 9}), scalar(0.4f));
  const Tensor rotations = rotary_table(20, 4);
  of("attention", {{"q", queries}, {"k", keys}, {"v", contents}, {"projected", projections}, {"mask", masks}},
     [=](const Given& in) {
       const Tensor &q = in[0], &k = in[1], &v = in[2], &projected = in[3], &mask = in[4];
       const auto attend = [&](const AttentionOptions& options) {
         return scaled_dot_product_attention(q, k, v, options);
       };
       return Given{
           attend({}),
           attend({.causal = true, .scale = 0.7f}),
           attend({.bias = scores}),
           attend({.mask = mask, .window = {2, 3}, .empty_rows = EmptyRows::zero}),
           attend({.mask = mask, .bias = scores, .empty_rows = EmptyRows::zero}),
           self_attention(projected, 2, {.causal = true}),
           self_attention(projected, 4, {.window = {1, 1}}),
           scaled_dot_product_attention(reshape(q, {-1, 7, 4}), reshape(q, {-1, 7, 4}), reshape(q, {-1, 7, 4})),
           rotary_embedding(q, rotations, {.offset = 3}),
           rotary_embedding(q, rotary_table(20, 2), {.interleaved = true}),
           rotary_embedding(q, rotations, {.positions = indices({4, 3, 2, 2, 0, 19, 7})})};
     });
  const Tensor images = normal({5, 8, 6, 4}), kernel = normal({6, 2, 3, 3}), back = normal({4, 3, 3, 2}),
               six = normal({6}), three = normal({3});
  of("images", {{"x", images}}, [=](const Given& in) {
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

void write_onnx(const std::filesystem::path& folder) {
  manual_seed(1);
  const NoTape evaluation;
  const Writer writer(folder);
  write_images(writer);
  write_texts(writer);
  write_numbers(writer);
  write_operations(writer);
}

}  // namespace temper::exchange
