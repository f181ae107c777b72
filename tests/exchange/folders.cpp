#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <temper/models/import/bert.hpp>
#include <temper/models/import/gpt2.hpp>
#include <temper/models/import/llama.hpp>
#include <temper/models/import/peft.hpp>
#include <temper/models/import/tokenizer.hpp>
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

/// Texts for tokenizers, of a line each.
const std::vector<std::string> texts = {"In the beginning God created the heaven and the earth.",
                                        "  Two  spaces,\tand a tab ", "na\u00efve caf\u00e9, \u4f60\u597d, \U0001F600!",
                                        "[MASK] <|endoftext|>x", "a"};

/// Adds a tokenizer to the folder of a model, and its tokens of the texts to what is recorded.
void write_tokenizer(const std::filesystem::path& folder, const data::SubwordTokenizer& tokenizer, std::int64_t end,
                     Tensors recorded) {
  models::save_tokenizer(folder, tokenizer, {.end = end, .longest = 12});
  recorded.emplace("pad", indices({tokenizer.pad()}));
  recorded.emplace("end", indices({end}));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<std::int64_t> ids = tokenizer(texts[i]).ids;
    recorded.emplace("text." + std::to_string(i), from(ids, {static_cast<std::int64_t>(ids.size())}));
  }
  record(folder, recorded);
  std::ofstream file(folder / "recorded" / "texts.txt");
  for (const std::string& text : texts) file << text << '\n';
}

void write_language_models(const std::filesystem::path& folder) {
  const auto tokenizer = data::SubwordTokenizer::train(texts, {.vocab_size = 270});
  const std::int64_t end = 0, vocabulary = tokenizer.vocab_size();
  const Tensor tokens = random_ids({2, 9}, vocabulary);
  for (const bool tied : {true, false}) {
    const models::Gpt gpt(
        {.vocabulary = vocabulary, .context = 12, .layers = 2, .heads = 2, .width = 16, .tied = tied});
    scatter_weights(gpt);
    const std::filesystem::path place = folder / (tied ? "gpt2" : "gpt2_untied");
    models::save_gpt2(place, gpt, end);
    write_tokenizer(place, tokenizer, end, {{"tokens", tokens}, {"logits", gpt(tokens)}});
  }
  const std::pair<const char*, models::LlamaConfig> llamas[] = {
      {"llama", {.context = 12, .layers = 2, .heads = 6, .kv_heads = 2, .width = 24, .hidden = 40}},
      {"llama3_scaling",
       {.context = 12,
        .layers = 2,
        .heads = 2,
        .width = 16,
        .hidden = 40,
        .rotary = {.base = 500.0, .llama3 = Llama3Scaling{.context = 8}},
        .tied = false}},
      {"qwen2", {.context = 12, .layers = 2, .heads = 2, .width = 16, .hidden = 40, .qkv_bias = true}}};
  for (auto [name, config] : llamas) {
    config.vocabulary = vocabulary;
    models::Llama llama(config);
    scatter_weights(llama);
    models::save_llama(folder / name, llama, end);
    write_tokenizer(folder / name, tokenizer, end, {{"tokens", tokens}, {"logits", llama(tokens)}});
    if (std::string(name) != "llama") continue;
    const nn::Lora adapters = nn::lora(llama, {.rank = 3, .alpha = 5, .targets = "q_proj|down_proj"});
    scatter_weights(adapters);
    models::save_peft(folder / name / "adapters", llama, models::llama_map(llama.config()));
    record(folder / name / "adapters", {{"tokens", tokens}, {"logits", llama(tokens)}});
  }
}

/// A tokenizer of single letters, such as an uncased BERT's.
data::SubwordTokenizer letters() {
  std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n,\n!\n\u4f60\n";
  for (const std::string prefix : {"", "##"}) {
    for (char c = 'a'; c <= 'z'; ++c) vocabulary += prefix + c + "\n";
  }
  return data::SubwordTokenizer::parse_vocabulary(vocabulary, "vocab.txt");
}

void write_berts(const std::filesystem::path& folder) {
  const data::SubwordTokenizer tokenizer = letters();
  const models::BertConfig config{
      .vocabulary = tokenizer.vocab_size(), .positions = 12, .layers = 2, .heads = 2, .width = 16, .hidden = 32};
  const Tensor tokens = random_ids({2, 9}, config.vocabulary), types = random_ids({2, 9}, 2);
  const models::BertInputs inputs{.mask = models::length_mask(std::vector<std::int64_t>{9, 5}, 9),
                                  .token_types = types};
  const Tensors given = {{"tokens", tokens}, {"mask", to(inputs.mask, Dtype::i64)}, {"types", types}};
  const auto write = [&](const char* name, const auto& model, const auto& outputs) {
    scatter_weights(model);
    models::save_bert(folder / name, model);
    Tensors tensors = given;
    for (const auto& [output, tensor] : outputs()) tensors.emplace(output, tensor);
    write_tokenizer(folder / name, tokenizer, -1, tensors);
  };
  using Outputs = std::vector<std::pair<std::string, Tensor>>;
  models::Bert encoder(config);
  write("bert", encoder, [&] { return Outputs{{"features", encoder(tokens, inputs)}}; });
  const nn::Lora adapters = nn::lora(encoder, {.rank = 3, .alpha = 5, .targets = "*"});
  scatter_weights(adapters);
  models::save_peft(folder / "bert" / "adapters", encoder, models::bert_map(encoder));
  Tensors adapted = given;
  adapted.emplace("features", encoder(tokens, inputs));
  record(folder / "bert" / "adapters", adapted);
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
