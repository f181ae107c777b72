#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <temper/models/import/gpt2.hpp>
#include <temper/temper.hpp>

#include "tests/data/files.hpp"
#include "tests/larger.hpp"

using namespace temper;
using models::Gpt;
using models::GptConfig;

namespace {

constexpr GptConfig plain = {.vocabulary = 29, .context = 11, .layers = 2, .heads = 3, .width = 24};
constexpr GptConfig prefixed = {.vocabulary = 17, .context = 9, .layers = 3, .heads = 2, .width = 16};

std::string golden(const std::string& name) { return TEMPER_TEST_DIR "/golden/gpt2_" + name + ".safetensors"; }

double largest(const Tensor& x) {
  double found = 0;
  for (const float value : x.values<float>()) found = temper_test::larger(found, std::abs(static_cast<double>(value)));
  return found;
}

/// The model's gradients as Hugging Face would store them.
Tensors gradients_of(const Gpt& model) {
  Tensors gradients;
  for (const Parameter& parameter : model.parameters()) gradients.emplace(parameter.name(), parameter.gradient());
  return models::export_tensors(gradients, models::gpt2_map(model.config()));
}

void check_as_recorded(const GptConfig& config, const std::string& name) {
  Gpt model(config);
  models::load_gpt2(golden(name), model);
  const Tensors expected = load_tensors(golden(name + "_expected")).tensors;
  const auto of = [&](const std::string& key) { return expected.find(key)->second; };
  Tape tape;
  const Tensor logits = model(of("tokens"));
  const Tensor loss = cross_entropy(logits, of("targets"));
  tape.backward(loss);
  CHECK(largest(logits - of("logits")) <= 1e-4);
  CHECK(std::abs(loss.item() - of("loss").item()) <= 1e-5);
  const Tensors gradients = gradients_of(model);
  CHECK(gradients.size() + 4 == expected.size());
  double scale = 0;
  for (const auto& [key, gradient] : gradients) scale = std::max(scale, largest(of("gradient." + key)));
  for (const auto& [key, gradient] : gradients) {
    CAPTURE(key);
    CHECK(largest(gradient - of("gradient." + key)) <= 5e-5 * scale);
  }
}

std::string refusal(const Tensors& tensors, Gpt& model) {
  try {
    models::import_tensors(state_dict(model), tensors, models::gpt2_map(model.config()), "the file");
  } catch (const FileError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a GPT-2 of Hugging Face's gives PyTorch's logits and gradients") {
  check_as_recorded(plain, "plain");
  check_as_recorded(prefixed, "prefixed");
}

TEST_CASE("a model exported to Hugging Face's layout and imported again is the same") {
  manual_seed(4);
  const temper_test::Folder folder;
  const Gpt model(plain);
  Gpt other(plain);
  models::save_gpt2(folder / "gpt2", model, 5);
  const Tensors stored = load_tensors(folder / "gpt2").tensors;
  CHECK(stored.at("transformer.h.1.attn.c_attn.weight").shape() == Shape{24, 72});
  CHECK(stored.at("transformer.h.1.mlp.c_fc.weight").shape() == Shape{24, 96});
  const models::GptConfig config = models::read_gpt2_config(folder / "gpt2");
  CHECK(config.context == plain.context);
  CHECK(config.heads == plain.heads);
  CHECK(config.tied == plain.tied);
  models::load_gpt2(folder / "gpt2", other);
  const Tensors ours = state_dict(model), theirs = state_dict(other);
  for (const auto& [name, tensor] : ours) {
    CAPTURE(name);
    CHECK(std::ranges::equal(tensor.values<float>(), theirs.find(name)->second.values<float>()));
  }
}

TEST_CASE("a file may hold only the copy of tied weights, and masks of any dtype") {
  const temper_test::Folder folder;
  Gpt model(plain), expected(plain);
  models::load_gpt2(golden("plain"), expected);
  Tensors tensors = load_tensors(golden("plain")).tensors;
  tensors["lm_head.weight"] = tensors.at("wte.weight");
  tensors.erase("wte.weight");
  tensors["h.0.attn.bias"] = zeros({1, 1, 11, 11});
  save_tensors(folder / "gpt2.safetensors", tensors);
  // The mask has a dtype that Temper does not read, in a file without checksums.
  const std::string bytes = temper_test::Folder::read(folder / "gpt2.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  std::string header = bytes.substr(8, length);
  const std::string data = bytes.substr(8 + length);
  const std::size_t metadata = header.find("\"__metadata__\":{") + 16;
  header.erase(metadata, header.find('}', metadata) - metadata);
  const std::size_t mask = header.find("\"F32\",\"shape\":[1,1,11,11]", header.find("h.0.attn.bias"));
  REQUIRE(mask != std::string::npos);
  header.replace(mask, 25, "\"F8_E4M3\",\"shape\":[11,44]");
  length = header.size();
  folder.write("gpt2.safetensors", std::string(reinterpret_cast<const char*>(&length), 8) + header + data);
  CHECK_THROWS_WITH_AS(load_tensors(folder / "gpt2.safetensors"), doctest::Contains("unsupported_dtype"), FileError);
  models::load_gpt2(folder / "gpt2.safetensors", model);
  for (const auto& [name, tensor] : state_dict(model)) {
    CHECK(std::ranges::equal(tensor.values<float>(), state_dict(expected).at(name).values<float>()));
  }
}

TEST_CASE("bf16 files and untied heads load too") {
  Gpt model(plain);
  Tensors tensors = load_tensors(golden("plain")).tensors;
  Tensor narrow = empty({29, 24}, Dtype::bf16);
  for (BFloat16& x : narrow.mutable_values<BFloat16>()) x.bits = 0xC040;  // -3
  tensors["wte.weight"] = narrow;
  CHECK(refusal(tensors, model) == "");
  CHECK(largest(model.token_embedding.weight + full({29, 24}, 3.0f)) == 0.0);

  GptConfig config = plain;
  config.tied = false;
  Gpt untied(config);
  CHECK(refusal(tensors, untied) ==
        "the file: does not fit the model, nothing was loaded:\n  missing: lm_head.weight f32 [29, 24]");
  tensors["lm_head.weight"] = ones({29, 24});
  CHECK(refusal(tensors, untied) == "");
  CHECK(largest(untied.head - ones({29, 24})) == 0.0);
}

TEST_CASE("a file that does not fit is refused with everything that is wrong, and changes nothing") {
  Gpt model(plain);
  const Tensors before = state_dict(model);
  Tensors kept;
  for (const auto& [name, tensor] : before) kept.emplace(name, tensor.clone());
  Tensors tensors = load_tensors(golden("plain")).tensors;
  tensors.erase("h.0.ln_1.bias");
  tensors["h.1.attn.c_attn.weight"] = zeros({72, 24});
  tensors["h.1.mlp.c_fc.bias"] = arange(96);
  tensors["lm_head.weight"] = zeros({29, 24});
  tensors["h.2.ln_1.bias"] = zeros({24});
  tensors["transformer.ln_f.bias"] = zeros({24});
  tensors["h.0.attn.masked_bias"] = scalar(-1e4f);
  CHECK(refusal(tensors, model) ==
        "the file: does not fit the model, nothing was loaded:\n"
        "  twice: ln_f.bias, the second time as transformer.ln_f.bias\n"
        "  missing: h.0.ln_1.bias f32 [24]\n"
        "  different: h.1.attn.c_attn.weight is f32 [72, 24], the model expects f32 [24, 72]\n"
        "  different: h.1.mlp.c_fc.bias is i64 [96], the model expects f32 [96]\n"
        "  different: lm_head.weight is not equal to wte.weight, the model has one tensor for both\n"
        "  not expected: h.2.ln_1.bias f32 [24]");
  for (const auto& [name, tensor] : before) {
    CHECK(std::ranges::equal(tensor.values<float>(), kept.find(name)->second.values<float>()));
  }
}

TEST_CASE("a file whose names all begin with a prefix is refused with one line, which says how to load it") {
  Gpt model(plain);
  Tensors tensors;
  for (const auto& [name, tensor] : load_tensors(golden("plain")).tensors) tensors.emplace("module." + name, tensor);
  CHECK(refusal(tensors, model) ==
        "the file: does not fit the model, nothing was loaded:\n"
        "  28 names begin with 'module.', the model's do not; set .rename = {{\"module.*\", \"*\"}}");
  models::import_tensors(state_dict(model), tensors, models::gpt2_map(model.config()), "the file",
                         {.rename = {{"module.*", "*"}}});
  CHECK(largest(model.parameters().front().value() - tensors["module.wte.weight"]) == 0.0);
}

TEST_CASE("several tensors of a file are stacked into one of the model") {
  const Tensors state = {{"qkv", zeros({6, 2})}, {"b", zeros({3})}};
  const models::ImportMap map = {
      .rules = {{.ours = "qkv", .theirs = {"q", "k", "v"}, .transposed = true}, {.ours = "b", .theirs = {"b.x"}}}};
  const Tensors theirs = {{"q", from({1, 2, 3, 4}, {2, 2})},
                          {"k", from({5, 6, 7, 8}, {2, 2})},
                          {"v", from({9, 10, 11, 12}, {2, 2})},
                          {"b.x", from({1, 2, 3}, {3})}};
  models::import_tensors(state, theirs, map, "them");
  const Tensor expected = from({1, 3, 2, 4, 5, 7, 6, 8, 9, 11, 10, 12}, {6, 2});
  CHECK(largest(state.find("qkv")->second - expected) == 0.0);
  const Tensors back = models::export_tensors(state, map);
  CHECK(back.size() == 4);
  for (const auto& [name, tensor] : theirs) CHECK(largest(back.find(name)->second - tensor) == 0.0);

  const auto refuse = [&](const models::ImportMap& wrong) { models::import_tensors(state, theirs, wrong, "them"); };
  CHECK_THROWS_WITH_AS(refuse({.rules = {map.rules[0]}}), "import: no rule for the model's tensor 'b'", ValueError);
  CHECK_THROWS_WITH_AS(refuse({.rules = {map.rules[0], map.rules[1], {.ours = "c", .theirs = {"b.x"}}}}),
                       "import: the model has no tensor 'c'", ValueError);
  CHECK_THROWS_WITH_AS(refuse({.rules = {{.ours = "qkv", .theirs = {"q", "k", "v", "w"}}, map.rules[1]}}),
                       "import: 'qkv' [6, 2] cannot be made of 4 tensors", ValueError);
  CHECK_THROWS_WITH_AS(refuse({.rules = {map.rules[0], {.ours = "b", .theirs = {"b.x"}, .transposed = true}}}),
                       "import: 'b' [3] cannot be made of 1 transposed tensors", ValueError);
}
