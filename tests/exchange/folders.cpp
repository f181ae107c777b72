#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <temper/models/import/bert.hpp>
#include <temper/models/import/gpt2.hpp>
#include <temper/models/import/llama.hpp>
#include <temper/models/import/peft.hpp>
#include <temper/temper.hpp>

#include "tests/exchange/exchange.hpp"

namespace temper::exchange {

namespace {

/// Weights unlike those of any initialization.
template <class M>
void scatter_weights(const M& model) {
  for (const Parameter& parameter : model.parameters()) {
    Tensor(parameter.value()).copy_from(parameter.value() + normal(parameter.shape(), 0.0f, 0.2f));
  }
}

/// Writes inputs and outputs beside the files of a model, where transformers ignores them.
void record(const std::filesystem::path& folder, const Tensors& tensors) {
  save_tensors(folder / "recorded" / "recorded.safetensors", tensors);
}

void write_language_models(const std::filesystem::path& folder) {
  const Tensor tokens = random_ids({2, 9}, 61);
  for (const bool tied : {true, false}) {
    const models::Gpt gpt({.vocabulary = 61, .context = 12, .layers = 2, .heads = 2, .width = 16, .tied = tied});
    scatter_weights(gpt);
    const std::filesystem::path place = folder / (tied ? "gpt2" : "gpt2_untied");
    models::save_gpt2(place, gpt, 3);
    record(place, {{"tokens", tokens}, {"logits", gpt(tokens)}});
  }
  const std::pair<const char*, models::LlamaConfig> llamas[] = {
      {"llama", {.vocabulary = 61, .context = 12, .layers = 2, .heads = 6, .kv_heads = 2, .width = 24, .hidden = 40}},
      {"llama3_scaling",
       {.vocabulary = 61,
        .context = 12,
        .layers = 2,
        .heads = 2,
        .width = 16,
        .hidden = 40,
        .rotary = {.base = 500.0, .llama3 = Llama3Scaling{.context = 8}},
        .tied = false}},
      {"qwen2",
       {.vocabulary = 61, .context = 12, .layers = 2, .heads = 2, .width = 16, .hidden = 40, .qkv_bias = true}}};
  for (const auto& [name, config] : llamas) {
    models::Llama llama(config);
    scatter_weights(llama);
    models::save_llama(folder / name, llama, 3);
    record(folder / name, {{"tokens", tokens}, {"logits", llama(tokens)}});
    if (std::string(name) != "llama") continue;
    const nn::Lora adapters = nn::lora(llama, {.rank = 3, .alpha = 5, .targets = "q_proj|down_proj"});
    scatter_weights(adapters);
    models::save_peft(folder / name / "adapters", llama, models::llama_map(llama.config()));
    record(folder / name / "adapters", {{"tokens", tokens}, {"logits", llama(tokens)}});
  }
}

void write_berts(const std::filesystem::path& folder) {
  const models::BertConfig config{
      .vocabulary = 61, .positions = 12, .layers = 2, .heads = 2, .width = 16, .hidden = 32};
  const Tensor tokens = random_ids({2, 9}, 61), types = random_ids({2, 9}, 2);
  const models::BertInputs inputs{.mask = models::length_mask(std::vector<std::int64_t>{9, 5}, 9),
                                  .token_types = types};
  const auto write = [&](const char* name, const auto& model, const auto& outputs) {
    scatter_weights(model);
    models::save_bert(folder / name, model);
    Tensors tensors = {{"tokens", tokens}, {"mask", to(inputs.mask, Dtype::i64)}, {"types", types}};
    for (const auto& [output, tensor] : outputs()) tensors.emplace(output, tensor);
    record(folder / name, tensors);
  };
  using Outputs = std::vector<std::pair<std::string, Tensor>>;
  const models::Bert encoder(config);
  write("bert", encoder, [&] { return Outputs{{"features", encoder(tokens, inputs)}}; });
  const models::BertForMaskedLM masked(config);
  write("bert_masked", masked, [&] { return Outputs{{"logits", masked(tokens, inputs)}}; });
  const models::BertForClassification classifier(config, 5);
  write("bert_classifier", classifier, [&] { return Outputs{{"logits", classifier(tokens, inputs)}}; });
  const models::BertForQuestionAnswering answering(config);
  write("bert_answers", answering, [&] {
    const auto [starts, ends] = answering(tokens, inputs);
    return Outputs{{"starts", starts}, {"ends", ends}};
  });
}

}  // namespace

void write_folders(const std::filesystem::path& folder) {
  manual_seed(2);
  const NoTape evaluation;
  write_language_models(folder);
  write_berts(folder);
}

}  // namespace temper::exchange
