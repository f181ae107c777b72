#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <temper/models/import/llama.hpp>
#include <temper/models/language/cache.hpp>
#include <temper/models/language/generate.hpp>
#include <temper/temper.hpp>

#include "tests/data/files.hpp"
#include "tests/larger.hpp"

using namespace temper;
using models::KeyValueCache;
using models::Llama;
using models::LlamaConfig;

namespace {

constexpr const char* recorded[] = {"smollm2", "qwen2", "scaled", "linear"};

std::string golden(const std::string& name) { return TEMPER_TEST_DIR "/golden/llama_" + name; }

Llama loaded(const std::string& name) {
  Llama model(models::read_llama_config(golden(name + ".json")));
  models::load_llama(golden(name + ".safetensors"), model);
  return model;
}

double largest(const Tensor& x) {
  double found = 0;
  for (const float value : x.values<float>()) found = temper_test::larger(found, std::abs(static_cast<double>(value)));
  return found;
}

}  // namespace

TEST_CASE("Llamas of Hugging Face's give transformers' logits and gradients") {
  for (const std::string name : recorded) {
    CAPTURE(name);
    const Llama model = loaded(name);
    const Tensors expected = load_tensors(golden(name + "_expected.safetensors")).tensors;
    const auto of = [&](const std::string& key) { return expected.at(key); };
    Tape tape;
    const Tensor logits = model(of("tokens"));
    const Tensor loss = cross_entropy(logits, of("targets"));
    tape.backward(loss);
    CHECK(largest(logits - of("logits")) <= 1e-4);
    CHECK(std::abs(loss.item() - of("loss").item()) <= 1e-5);
    Tensors ours;
    for (const Parameter& parameter : model.parameters()) ours.emplace(parameter.name(), parameter.gradient());
    const Tensors gradients = models::export_tensors(ours, models::llama_map(model.config()));
    CHECK(gradients.size() + 4 == expected.size());
    double scale = 0;
    for (const auto& [key, gradient] : gradients) scale = std::max(scale, largest(of("gradient." + key)));
    for (const auto& [key, gradient] : gradients) {
      CAPTURE(key);
      CHECK(largest(gradient - of("gradient." + key)) <= 5e-5 * scale);
    }
  }
}

TEST_CASE("a Llama's logits with a cache are those without, in pieces of any size") {
  for (const std::string name : recorded) {
    CAPTURE(name);
    const Llama model = loaded(name);
    const Tensor tokens = slice(load_tensors(golden(name + "_expected.safetensors")).tensors.at("tokens"), 0, 0, 1);
    const std::int64_t length = tokens.size(1);
    const Tensor expected = model(tokens).view({length, model.vocabulary()});
    KeyValueCache cache(model.cache_sizes());
    for (const std::int64_t piece : {std::int64_t{1}, std::int64_t{4}, length}) {
      cache.clear();
      for (std::int64_t begin = 0; begin < length; begin += piece) {
        const std::int64_t end = std::min(begin + piece, length);
        const Tensor logits = model(tokens.view({length}).rows(begin, end), cache);
        CHECK(largest(logits - expected.rows(begin, end)) <= 2e-5);
      }
    }
  }
}

TEST_CASE("a cache grows with its text, up to the context") {
  manual_seed(5);
  const Llama model(
      {.vocabulary = 11, .context = 300, .layers = 2, .heads = 2, .kv_heads = 1, .width = 8, .hidden = 12});
  Tensor tokens = empty({1, 300}, Dtype::i64);
  std::int64_t i = 0;
  for (std::int64_t& token : tokens.mutable_values<std::int64_t>()) token = (i += 7) % 11;
  const Tensor expected = model(tokens).view({300, 11});
  KeyValueCache cache(model.cache_sizes());
  for (const auto& [begin, end] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 250}, {250, 258}, {258, 300}}) {
    CHECK(largest(model(tokens.view({300}).rows(begin, end), cache) - expected.rows(begin, end)) <= 2e-5);
  }
  CHECK_THROWS_AS(model(tokens.view({300}).rows(0, 1), cache), ShapeError);
}

TEST_CASE("a Llama generates text and learns it") {
  manual_seed(3);
  const Llama model(
      {.vocabulary = 7, .context = 12, .layers = 2, .heads = 4, .kv_heads = 2, .width = 16, .hidden = 24});
  Tensor text = empty({1, 12}, Dtype::i64), next = empty({1, 12}, Dtype::i64);
  for (std::int64_t t = 0; t < 12; ++t) {
    text.mutable_data<std::int64_t>()[t] = t * t % 7;
    next.mutable_data<std::int64_t>()[t] = (t + 1) * (t + 1) % 7;
  }
  optim::AdamW adamw(model.parameters(), {.lr = 1e-2});
  float loss = 0;
  for (int step = 0; step < 150; ++step) {
    Tape tape;
    const Tensor mean = cross_entropy(model(text), next);
    tape.backward(mean);
    adamw.step();
    loss = mean.item();
  }
  CHECK(loss < 0.01f);
  const std::vector<std::int64_t> prompt = {0, 1, 4};
  const std::vector<std::int64_t> expected = {2, 2, 4, 1, 0, 1, 4, 2, 2};
  CHECK(models::generate(model, prompt, {.tokens = 9, .sample = {.temperature = 0.0}}) == expected);
}

TEST_CASE("recomputed blocks give the same gradients") {
  std::vector<Tensor> gradients[2];
  for (const bool recompute : {false, true}) {
    manual_seed(6);
    const Llama model(
        {.vocabulary = 9, .context = 6, .layers = 2, .heads = 2, .width = 8, .hidden = 12, .recompute = recompute});
    Tape tape;
    tape.backward(mean(model(zeros({2, 6}, Dtype::i64))));
    for (const Parameter& parameter : model.parameters()) gradients[recompute].push_back(parameter.gradient());
  }
  for (std::size_t i = 0; i < gradients[0].size(); ++i) CHECK(largest(gradients[0][i] - gradients[1][i]) == 0.0);
}

TEST_CASE("a Llama is saved as a folder that reads back as it was") {
  const temper_test::Folder folder;
  for (const std::string name : recorded) {
    CAPTURE(name);
    const Llama model = loaded(name);
    models::save_llama(folder / name, model, 2);
    const LlamaConfig config = models::read_llama_config(folder / name);
    CHECK(config.rotary.base == model.config().rotary.base);
    CHECK(config.rotary.factor == model.config().rotary.factor);
    CHECK(config.rotary.llama3.has_value() == model.config().rotary.llama3.has_value());
    CHECK(config.eps == model.config().eps);
    Llama other(config);
    CHECK(other.description() == model.description());
    models::load_llama(folder / name, other);
    const Tensors ours = state_dict(model);
    for (const auto& [key, tensor] : state_dict(other)) CHECK(largest(tensor - ours.at(key)) == 0.0);
    const Tensor tokens = load_tensors(golden(name + "_expected.safetensors")).tensors.at("tokens");
    CHECK(largest(other(tokens) - model(tokens)) == 0.0);
  }
}

TEST_CASE("files of base models, copies of tied heads and old buffers are read; the rest is refused with all of it") {
  Llama model = loaded("smollm2");
  const Tensors state = state_dict(model);
  const models::ImportMap map = models::llama_map(model.config());
  Tensors base;
  for (const auto& [name, tensor] : load_tensors(golden("smollm2.safetensors")).tensors) {
    base.emplace(name.substr(std::string("model.").size()), tensor);
  }
  base["lm_head.weight"] = base.at("embed_tokens.weight");
  base.erase("embed_tokens.weight");
  base["layers.0.self_attn.rotary_emb.inv_freq"] = zeros({2});
  CHECK_NOTHROW(models::import_tensors(state, base, map, "file"));
  base.erase("layers.1.mlp.up_proj.weight");
  base["layers.0.self_attn.q_proj.bias"] = zeros({24});
  CHECK_THROWS_WITH_AS(models::import_tensors(state, base, map, "file"),
                       "file: does not fit the model, nothing was loaded:\n"
                       "  missing: model.layers.1.mlp.up_proj.weight f32 [40, 24]\n"
                       "  not expected: model.layers.0.self_attn.q_proj.bias f32 [24]",
                       FileError);
}

TEST_CASE("a config.json that Llama cannot be is refused with all that is wrong") {
  const temper_test::Folder folder;
  const auto refusal = [&](const std::string& text) {
    folder.write("config.json", text);
    try {
      models::read_llama_config(folder.path());
    } catch (const FileError& error) {
      const std::string found = error.what();
      return found.substr(found.find("config.json: ") + 13);
    }
    return std::string("none");
  };
  CHECK(refusal(R"({"model_type": "llama"})") == "none");
  CHECK(refusal("[1]") == "not a JSON object");
  CHECK(refusal("{") == "not a JSON object");
  CHECK(refusal(std::string(100'000, '[')) == "JSON nested more than 32 deep, at byte 32");
  CHECK(refusal(R"({"model_type": "gemma", "hidden_act": "gelu", "hidden_size": -1, "num_hidden_layers": 1.5,
                    "tie_word_embeddings": 0, "quantization_config": {}, "rope_scaling": {"type": "yarn"}})") ==
        "a model that Llama cannot be:\n"
        "  model_type is \"gemma\", expected llama, mistral or qwen2\n"
        "  hidden_act is \"gelu\", expected silu\n"
        "  quantization_config is {}, expected none\n"
        "  num_hidden_layers is 1.5, expected a whole number from 0 to 2^28\n"
        "  hidden_size is -1, expected a whole number from 0 to 2^28\n"
        "  rope_scaling is {\"type\":\"yarn\"}, expected positions that are not scaled, or scaled as linear or llama3\n"
        "  tie_word_embeddings is 0, expected true or false");
  // A window changes nothing up to its size.
  folder.write("config.json", R"({"model_type": "mistral", "max_position_embeddings": 32768, "sliding_window": 4096})");
  CHECK(models::read_llama_config(folder / "config.json").context == 4096);
  folder.write("config.json", R"({"model_type": "qwen2", "max_position_embeddings": 32768, "sliding_window": 4096,
                                  "use_sliding_window": false, "num_key_value_heads": null})");
  CHECK(models::read_llama_config(folder / "config.json").context == 32768);
}

TEST_CASE("a Llama throws for invalid sizes") {
  const LlamaConfig tiny = {.vocabulary = 7, .context = 12, .layers = 1, .heads = 4, .width = 16, .hidden = 24};
  const auto with = [&](auto change) {
    LlamaConfig config = tiny;
    change(config);
    return config;
  };
  CHECK_THROWS_WITH_AS(
      Llama(with([](LlamaConfig& c) { c.hidden = 0; })),
      "Llama: vocabulary 7, context 12, layers 1, heads 4, width 16, hidden 0, expected at least 1 of each",
      ValueError);
  CHECK_THROWS_WITH_AS(Llama(with([](LlamaConfig& c) { c.kv_heads = 3; })),
                       "Llama: 4 heads of queries, 3 of keys, expected a multiple", ValueError);
  CHECK_THROWS_WITH_AS(Llama(with([](LlamaConfig& c) { c.width = 18; })),
                       "Llama: width 18 in 4 heads, expected a multiple, or head_features", ValueError);
  CHECK_THROWS_WITH_AS(Llama(with([](LlamaConfig& c) { c.width = 12; })),
                       "Llama: 3 features in a head, expected an even number above 0", ValueError);
  CHECK_THROWS_WITH_AS(Llama(with([](LlamaConfig& c) { c.init_deviation = -1; })),
                       "Llama: init_deviation -1, expected above 0", ValueError);
  // The published sizes: of SmolLM2 135M, as its name says.
  const LlamaConfig smollm2 = models::smollm2_135m();
  CHECK(smollm2.heads / smollm2.kv_heads == 3);
  const Llama model(with([](LlamaConfig& c) { c.head_features = 6; }));
  CHECK(model.blocks[0].attention.q_proj.weight.shape() == Shape{24, 16});
  CHECK_THROWS_WITH_AS(model(zeros({1, 13}, Dtype::i64)),
                       "Llama: tokens i64 [1, 13], expected i64 [B, T] with T from 1 to 12", ShapeError);
}
