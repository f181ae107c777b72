#include <string>
#include <utility>
#include <vector>

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

#include "tests/exchange/onnx_writer.hpp"

namespace temper::exchange {

namespace {

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

}  // namespace

void write_onnx_models(const std::filesystem::path& folder) {
  manual_seed(1);
  const NoTape evaluation;
  const Writer writer(folder);
  write_images(writer);
  write_texts(writer);
  write_numbers(writer);
}

}  // namespace temper::exchange
