#include <temper/models/import/peft.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include <temper/models/language/language_model.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "models/import/config_internal.hpp"

namespace temper::models {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view outer = "base_model.model.", weight = ".weight";

/// The other program's name, with the prefix, of each of the model's Linears that is one module there, too.
std::map<std::string, std::string, std::less<>> module_names(const nn::Module& model, const ImportMap& map) {
  std::map<std::string, std::string, std::less<>> names;
  for (const nn::Child& child : model.children()) {
    if (dynamic_cast<const nn::Linear*>(child.module) == nullptr) continue;
    const std::string ours = child.name + std::string(weight);
    const auto rule = std::ranges::find(map.rules, ours, &ImportRule::ours);
    if (rule == map.rules.end() || rule->theirs.size() != 1 || !rule->theirs[0].ends_with(weight)) continue;
    const std::string& theirs = rule->theirs[0];
    names.emplace(child.name, (map.prefixed ? map.prefix : "") + theirs.substr(0, theirs.size() - weight.size()));
  }
  return names;
}

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

/// The name with * for the numbers of layers: "model.layers.*.self_attn.q_proj".
std::string in_any_layer(const std::string& name) {
  std::string all;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit) all += c;
    if (digit && !all.ends_with('*')) all += '*';
  }
  return all;
}

/// Names for PEFT, which adapts every module whose name is one of them, or ends in a dot and one of them: short ones if
/// these mean the adapted modules alone. One that stands for different parts of a layer, such as BERT's "dense", might
/// mean more in their model than in ours, which need not have all of its parts.
std::set<std::string> target_modules(const std::map<std::string, std::string, std::less<>>& all,
                                     const std::set<std::string>& adapted) {
  std::set<std::string> last, parts;
  for (const std::string& name : adapted) {
    last.insert(last_part(name));
    parts.insert(in_any_layer(name));
  }
  const bool exact = std::ranges::all_of(
      all, [&](const auto& pair) { return adapted.contains(pair.second) || !last.contains(last_part(pair.second)); });
  return exact && parts.size() == last.size() ? last : adapted;
}

nn::LoraOptions parse_config(const std::string& text) {
  detail::check_json_depth(text);
  const json config = json::parse(text, nullptr, false);
  if (!config.is_object()) fail<FileError>("not a JSON object");
  std::string problems;
  const auto at = [&](const char* key) { return config.contains(key) ? config.at(key) : json(); };
  const auto expect = [&](bool good, const char* key, const char* what) {
    if (good) return;
    const std::string found = at(key).dump(-1, ' ', false, json::error_handler_t::replace);
    problems += fmt::format("\n  {} is {}, expected {}", key, detail::printable(found), what);
  };
  const auto empty = [&](const char* key) { return at(key).is_null() || at(key).empty(); };
  const auto off = [&](const char* key) { return at(key).is_null() || at(key) == false; };
  expect(at("peft_type") == "LORA", "peft_type", "\"LORA\"");
  expect(at("r").is_number_integer() && at("r") >= 1 && at("r") <= 1 << 20, "r", "a whole number from 1 to 2^20");
  expect(at("lora_alpha").is_number() && at("lora_alpha") > 0, "lora_alpha", "a number above 0");
  const json dropout = at("lora_dropout").is_null() ? json(0.0) : at("lora_dropout");
  expect(dropout.is_number() && dropout >= 0 && dropout < 1, "lora_dropout", "from 0 to below 1");
  for (const char* key : {"use_dora", "use_qalora", "use_bdlora", "lora_bias"}) expect(off(key), key, "false");
  // These change the weights of the base.
  const bool changes =
      at("init_lora_weights").is_string() &&
      std::ranges::any_of(std::array{"pissa", "olora", "corda", "loftq", "lora_ga"}, [&](const char* name) {
        return at("init_lora_weights").get<std::string>().starts_with(name);
      });
  expect(!changes, "init_lora_weights", "one that leaves the weights of the base");
  expect(at("use_rslora").is_null() || at("use_rslora").is_boolean(), "use_rslora", "true or false");
  expect(at("bias").is_null() || at("bias") == "none", "bias", "\"none\"");
  for (const char* key : {"rank_pattern", "alpha_pattern", "modules_to_save", "target_parameters", "layer_replication",
                          "alora_invocation_tokens"}) {
    expect(empty(key), key, "none");
  }
  if (!problems.empty()) fail<FileError>("adapters that Linear cannot have:{}", problems);
  return {.rank = at("r").get<std::int64_t>(),
          .alpha = at("lora_alpha").get<double>(),
          .dropout = dropout.get<double>(),
          .targets = "",
          .rank_stabilized = at("use_rslora") == true};
}

}  // namespace

void save_peft(const fs::path& folder, nn::Module& model, const ImportMap& map, const std::string& base) {
  const auto names = module_names(model, map);
  Tensors tensors;
  std::set<std::string> adapted;
  std::optional<nn::LowRank> first;
  bool fan_in_fan_out = false;
  for (const nn::Child& child : model.children()) {
    const auto* layer = dynamic_cast<const nn::Linear*>(child.module);
    if (layer == nullptr || !layer->low_rank) continue;
    const auto& [a, b, scale, dropout] = *layer->low_rank;
    const auto name = names.find(child.name);
    if (name == names.end()) fail<ValueError>("save_peft: the map has no single module for '{}'", child.name);
    if (!first) first = layer->low_rank;
    if (a.shape()[0] != first->a.shape()[0] || scale != first->scale || dropout != first->dropout) {
      fail<ValueError>("save_peft: '{}' has another rank, scale or dropout than the adapters before it", child.name);
    }
    adapted.insert(name->second);
    tensors.emplace(std::string(outer) + name->second + ".lora_A.weight", a.value());
    tensors.emplace(std::string(outer) + name->second + ".lora_B.weight", b.value());
    fan_in_fan_out = std::ranges::find(map.rules, child.name + std::string(weight), &ImportRule::ours)->transposed;
  }
  if (!first) fail<ValueError>("save_peft: the model has no adapters; see nn::lora");
  const std::int64_t rank = first->a.shape()[0];
  // PEFT expects functions for generation of a model with this type, and takes any without.
  const bool generates = dynamic_cast<const LanguageModel*>(&model) != nullptr;
  const json config = {{"peft_type", "LORA"},
                       {"task_type", generates ? json("CAUSAL_LM") : json()},
                       {"base_model_name_or_path", base.empty() ? json() : json(base)},
                       {"r", rank},
                       {"lora_alpha", static_cast<double>(first->scale) * static_cast<double>(rank)},
                       {"lora_dropout", first->dropout},
                       {"use_rslora", false},  // the scale is in lora_alpha
                       {"target_modules", target_modules(names, adapted)},
                       {"fan_in_fan_out", fan_in_fan_out},
                       {"bias", "none"},
                       {"inference_mode", true}};
  save_tensors(folder / "adapter_model.safetensors", tensors, {{"format", "pt"}});
  detail::write_json(folder / "adapter_config.json", config);
}

nn::Lora load_peft(const fs::path& folder, nn::Module& model, const ImportMap& map) {
  const fs::path config_file = folder / "adapter_config.json", tensors_file = folder / "adapter_model.safetensors";
  const std::string text = detail::read_text(config_file, detail::max_config_bytes);
  nn::LoraOptions options = detail::with_path(config_file, [&] { return parse_config(text); });
  const Tensors tensors = load_tensors(tensors_file).tensors;

  // Every Linear may have both tensors or none.
  std::string problems;
  std::map<std::string, Tensor, std::less<>> values;  // by our names
  std::set<std::string, std::less<>> known;
  std::map<std::string, const nn::Linear*> layers;
  for (const nn::Child& child : model.children()) {
    if (const auto* layer = dynamic_cast<const nn::Linear*>(child.module)) layers.emplace(child.name, layer);
  }
  for (const auto& [ours, theirs] : module_names(model, map)) {
    const Shape& shape = layers.at(ours)->weight.shape();
    std::string missing;
    int found = 0;
    for (const bool is_a : {true, false}) {
      const std::string part = is_a ? ".lora_A.weight" : ".lora_B.weight", name = std::string(outer) + theirs + part;
      const Shape expected = is_a ? Shape{options.rank, shape[1]} : Shape{shape[0], options.rank};
      const auto tensor = tensors.find(name);
      if (tensor == tensors.end()) {
        missing += fmt::format("\n  missing: {} f32 {}", name, expected);
        continue;
      }
      ++found;
      known.insert(name);
      const Dtype dtype = tensor->second.dtype();
      if ((dtype != Dtype::f32 && dtype != Dtype::bf16) || !(tensor->second.shape() == expected)) {
        problems += fmt::format("\n  different: {} is {} {}, the model expects f32 {}", name, dtype,
                                tensor->second.shape(), expected);
      }
      values.emplace(ours + part, tensor->second);
    }
    if (found == 0) continue;
    problems += missing;
    options.targets += (options.targets.empty() ? "" : "|") + ours;
  }
  for (const auto& [name, tensor] : tensors) {
    if (known.contains(name)) continue;
    problems += fmt::format("\n  not expected: {} {} {}", detail::printable(name), tensor.dtype(), tensor.shape());
  }
  if (tensors.empty()) problems += "\n  no tensors";
  if (!problems.empty()) {
    fail<FileError>("{}: does not fit the model, nothing was loaded:{}", detail::printable(tensors_file.native()),
                    problems);
  }
  nn::Lora adapters = nn::lora(model, options);
  for (Parameter parameter : adapters.parameters()) {
    parameter.set_value(detail::converted(values.at(parameter.name()), Dtype::f32));
  }
  return adapters;
}

}  // namespace temper::models
