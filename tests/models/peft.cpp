#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <temper/models/import/bert.hpp>
#include <temper/models/import/gpt2.hpp>
#include <temper/models/import/llama.hpp>
#include <temper/models/import/peft.hpp>
#include <temper/temper.hpp>

#include "tests/data/files.hpp"
#include "tests/larger.hpp"

using namespace temper;
using models::Llama;

namespace {

const std::string recorded = TEMPER_TEST_DIR "/golden/peft_qwen2";

Llama base_model() {
  const std::string base = TEMPER_TEST_DIR "/golden/llama_qwen2";
  Llama model(models::read_llama_config(base + ".json"));
  models::load_llama(base + ".safetensors", model);
  return model;
}

double largest(const Tensor& x) {
  double found = 0;
  for (const float value : x.values<float>()) found = temper_test::larger(found, std::abs(static_cast<double>(value)));
  return found;
}

std::string refusal(const std::filesystem::path& folder, Llama& model) {
  try {
    models::load_peft(folder, model, models::llama_map(model.config()));
  } catch (const FileError& error) {
    const std::string text = error.what();
    return text.substr(text.find(": ") + 2);
  }
  return "none";
}

}  // namespace

TEST_CASE("adapters of PEFT's give its logits and gradients, merged or not") {
  Llama model = base_model();
  const nn::Lora adapters = models::load_peft(recorded, model, models::llama_map(model.config()));
  const Tensors expected = load_tensors(recorded + "/expected.safetensors").tensors;
  const auto of = [&](const std::string& key) { return expected.at(key); };
  {
    Tape tape;
    const Tensor logits = model(of("tokens"));
    const Tensor loss = cross_entropy(logits, of("targets"));
    tape.backward(loss);
    CHECK(largest(logits - of("logits")) <= 1e-4);
    CHECK(std::abs(loss.item() - of("loss").item()) <= 1e-5);
  }
  CHECK(adapters.parameters().size() + 4 == expected.size());
  double scale = 0;
  for (const auto& [key, tensor] : expected) {
    if (key.starts_with("gradient.")) scale = std::max(scale, largest(tensor));
  }
  for (const Parameter& parameter : adapters.parameters()) {
    CAPTURE(parameter.name());
    std::string key = parameter.name();
    key.replace(0, key.find('.'), "gradient.base_model.model.model.layers");
    const std::size_t part = key.find(".attention."), projection = key.find(".down_proj.");
    if (part != key.npos) key.replace(part, 11, ".self_attn.");
    if (projection != key.npos) key.replace(projection, 1, ".mlp.");
    CHECK(largest(parameter.gradient() - of(key)) <= 5e-5 * scale);
  }
  nn::merge_lora(model);
  CHECK(largest(model(of("tokens")) - of("logits")) <= 1e-4);
}

TEST_CASE("adapters are saved under PEFT's names, and read back as they were") {
  const temper_test::Folder folder;
  Llama model = base_model(), other = base_model();
  const models::ImportMap map = models::llama_map(model.config());
  const nn::Lora adapters = models::load_peft(recorded, model, map);
  models::save_peft(folder.path(), model, map, "a model");
  const Tensors theirs = load_tensors(recorded + "/adapter_model.safetensors").tensors;
  const Tensors ours = load_tensors(folder / "adapter_model.safetensors").tensors;
  CHECK(ours.size() == theirs.size());
  for (const auto& [name, tensor] : theirs) CHECK(largest(tensor - ours.at(name)) == 0.0);
  const std::string config = temper_test::Folder::read(folder / "adapter_config.json");
  CHECK(config.find("\"target_modules\": [\n    \"down_proj\",\n    \"q_proj\",\n    \"v_proj\"\n  ]") != config.npos);
  CHECK(config.find("\"base_model_name_or_path\": \"a model\"") != config.npos);
  CHECK(config.find("\"task_type\": \"CAUSAL_LM\"") != config.npos);

  const nn::Lora again = models::load_peft(folder.path(), other, map);
  CHECK(again.targets() == adapters.targets());
  const Tensor tokens = load_tensors(recorded + "/expected.safetensors").tensors.at("tokens");
  CHECK(largest(other(tokens) - model(tokens)) == 0.0);
}

TEST_CASE("target modules are full names where short ones would mean more") {
  const temper_test::Folder folder;
  models::Gpt model({.vocabulary = 5, .context = 4, .layers = 2, .heads = 1, .width = 4});
  nn::lora(model, {.rank = 1, .targets = "blocks.1.up"});
  models::save_peft(folder.path(), model, models::gpt2_map(model.config()));
  const std::string config = temper_test::Folder::read(folder / "adapter_config.json");
  CHECK(config.find("\"target_modules\": [\n    \"transformer.h.1.mlp.c_fc\"\n  ]") != config.npos);
  CHECK(config.find("\"fan_in_fan_out\": true") != config.npos);
  CHECK(load_tensors(folder / "adapter_model.safetensors")
            .tensors.at("base_model.model.transformer.h.1.mlp.c_fc.lora_A.weight")
            .shape() == Shape{1, 4});
  models::Gpt plain({.vocabulary = 5, .context = 4, .layers = 1, .heads = 1, .width = 4});
  CHECK_THROWS_WITH_AS(models::save_peft(folder.path(), plain, models::gpt2_map(plain.config())),
                       "save_peft: the model has no adapters; see nn::lora", ValueError);
}

TEST_CASE("adapters of a BERT have the names of its modules, which an encoder alone has without a prefix") {
  const temper_test::Folder folder;
  const models::BertConfig config{.vocabulary = 5, .positions = 4, .layers = 1, .heads = 1, .width = 4, .hidden = 8};
  models::Bert encoder(config), other(config);
  const nn::Lora adapters = nn::lora(encoder, {.rank = 1, .targets = "*"});
  models::save_peft(folder.path(), encoder, models::bert_map(encoder));
  const std::string name = "encoder.layer.0.intermediate.dense.lora_A.weight", begin = "base_model.model.";
  CHECK(load_tensors(folder / "adapter_model.safetensors").tensors.contains(begin + name));
  const std::string text = temper_test::Folder::read(folder / "adapter_config.json");
  CHECK(text.find("\"task_type\": null") != text.npos);
  // "dense" would mean a pooler as well, which a BertModel has and an encoder has not.
  CHECK(text.find("\"encoder.layer.0.attention.output.dense\",\n") != text.npos);
  CHECK(models::load_peft(folder.path(), other, models::bert_map(other)).targets() == adapters.targets());

  models::BertForClassification classifier(config, 2);
  nn::lora(classifier, {.rank = 1, .targets = "up"});
  models::save_peft(folder.path(), classifier, models::bert_map(classifier));
  CHECK(load_tensors(folder / "adapter_model.safetensors").tensors.contains(begin + "bert." + name));
}

TEST_CASE("adapters that do not fit are refused with all that is wrong, and change nothing") {
  const temper_test::Folder folder;
  Llama model = base_model();
  folder.write("adapter_config.json", temper_test::Folder::read(recorded + "/adapter_config.json"));
  Tensors tensors = load_tensors(recorded + "/adapter_model.safetensors").tensors;
  const std::string layers = "base_model.model.model.layers.";
  tensors.erase(layers + "0.self_attn.q_proj.lora_B.weight");
  tensors[layers + "1.self_attn.v_proj.lora_A.weight"] = zeros({2, 16});
  tensors[layers + "2.self_attn.v_proj.lora_A.weight"] = zeros({3, 16});
  tensors["base_model.model.lm_head.weight"] = zeros({29, 16});
  save_tensors(folder / "adapter_model.safetensors", tensors);
  CHECK(refusal(folder.path(), model) ==
        "does not fit the model, nothing was loaded:\n"
        "  missing: base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight f32 [16, 3]\n"
        "  different: base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight is f32 [2, 16], the model expects "
        "f32 [3, 16]\n"
        "  not expected: base_model.model.lm_head.weight f32 [29, 16]\n"
        "  not expected: base_model.model.model.layers.2.self_attn.v_proj.lora_A.weight f32 [3, 16]");
  folder.write(
      "adapter_config.json",
      R"({"peft_type": "LORA", "r": 0, "lora_alpha": 5, "use_dora": true, "bias": "all", "rank_pattern": {"q": 2}})");
  CHECK(refusal(folder.path(), model) ==
        "adapters that Linear cannot have:\n"
        "  r is 0, expected a whole number from 1 to 2^20\n"
        "  use_dora is true, expected false\n"
        "  bias is \"all\", expected \"none\"\n"
        "  rank_pattern is {\"q\":2}, expected none");
  folder.write("adapter_config.json", std::string(100'000, '['));
  CHECK(refusal(folder.path(), model) == "JSON nested more than 32 deep, at byte 32");
  for (const Parameter& parameter : model.parameters()) CHECK(!parameter.frozen());
}
