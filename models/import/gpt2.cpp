#include <temper/models/import/gpt2.hpp>

#include <initializer_list>
#include <string>
#include <utility>

#include <temper/io/shards.hpp>

#include "models/import/config_internal.hpp"

namespace temper::models {

namespace {

using nlohmann::json;

GptConfig parse(const json& object, std::string& problems) {
  detail::ConfigReader reader(object, problems);
  if (reader.text("model_type", "gpt2") != "gpt2") reader.expected("model_type", "gpt2");
  const std::string act = reader.text("activation_function", "gelu_new");
  if (act != "gelu_new" && act != "gelu_pytorch_tanh") reader.expected("activation_function", "gelu_new");
  if (reader.number("layer_norm_epsilon", 1e-5) != 1e-5) reader.expected("layer_norm_epsilon", "1e-5");
  if (!reader.flag("scale_attn_weights", true)) reader.expected("scale_attn_weights", "true");
  if (reader.flag("scale_attn_by_inverse_layer_idx", false)) {
    reader.expected("scale_attn_by_inverse_layer_idx", "false");
  }
  GptConfig config{.vocabulary = reader.size("vocab_size", 50257),
                   .context = reader.size("n_positions", 1024),
                   .layers = reader.size("n_layer", 12),
                   .heads = reader.size("n_head", 12),
                   .width = reader.size("n_embd", 768),
                   .tied = reader.flag("tie_word_embeddings", true)};
  if (reader.size("n_inner", 4 * config.width) != 4 * config.width) reader.expected("n_inner", "4 n_embd");
  return config;
}

json config_of(const GptConfig& config, std::int64_t end) {
  const json end_token = end < 0 ? json() : json(end);
  return {{"architectures", {"GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"vocab_size", config.vocabulary},
          {"n_positions", config.context},
          {"n_ctx", config.context},
          {"n_layer", config.layers},
          {"n_head", config.heads},
          {"n_embd", config.width},
          {"activation_function", "gelu_new"},
          {"layer_norm_epsilon", 1e-5},
          {"resid_pdrop", config.dropout},
          {"embd_pdrop", config.dropout},
          {"attn_pdrop", config.dropout},
          {"initializer_range", config.init_deviation},
          {"tie_word_embeddings", config.tied},
          {"bos_token_id", end_token},
          {"eos_token_id", end_token}};
}

}  // namespace

GptConfig read_gpt2_config(const std::filesystem::path& path) { return detail::read_config(path, "Gpt", parse); }

ImportMap gpt2_map(const GptConfig& config) {
  ImportMap map{
      .rules = {{.ours = "token_embedding.weight", .theirs = {"wte.weight"}},
                {.ours = "position_embedding.weight", .theirs = {"wpe.weight"}},
                {.ours = "norm.weight", .theirs = {"ln_f.weight"}},
                {.ours = "norm.bias", .theirs = {"ln_f.bias"}}},
      .prefix = "transformer.",
      .older = {},
      .ignored =
          [](std::string_view name) { return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"); },
      .copies = {}};
  if (config.tied) {
    map.copies.push_back({.name = "lm_head.weight", .of = "wte.weight"});
  } else {
    map.rules.push_back({.ours = "head.weight", .theirs = {"lm_head.weight"}});
  }
  for (std::int64_t i = 0; i < config.layers; ++i) {
    const std::string ours = "blocks." + std::to_string(i) + ".", theirs = "h." + std::to_string(i) + ".";
    const auto add = [&](const std::string& our_name, const std::string& their_name, bool transposed) {
      map.rules.push_back({.ours = ours + our_name, .theirs = {theirs + their_name}, .transposed = transposed});
    };
    add("norm1.weight", "ln_1.weight", false);
    add("norm1.bias", "ln_1.bias", false);
    add("attention.in_proj_weight", "attn.c_attn.weight", true);
    add("attention.in_proj_bias", "attn.c_attn.bias", false);
    add("attention.out_proj.weight", "attn.c_proj.weight", true);
    add("attention.out_proj.bias", "attn.c_proj.bias", false);
    add("norm2.weight", "ln_2.weight", false);
    add("norm2.bias", "ln_2.bias", false);
    add("up.weight", "mlp.c_fc.weight", true);
    add("up.bias", "mlp.c_fc.bias", false);
    add("down.weight", "mlp.c_proj.weight", true);
    add("down.bias", "mlp.c_proj.bias", false);
  }
  return map;
}

void load_gpt2(const std::filesystem::path& path, Gpt& model, const MatchOptions& options) {
  import_model(path, model, gpt2_map(model.config()), options);
}

void save_gpt2(const std::filesystem::path& folder, const Gpt& model, std::int64_t end) {
  Tensors tensors;
  for (auto& [name, tensor] : export_tensors(state_dict(model), gpt2_map(model.config()))) {
    tensors.emplace(name == "lm_head.weight" ? name : "transformer." + name, tensor);
  }
  save_shards(folder, tensors, {}, {{"format", "pt"}});
  detail::write_json(folder / "config.json", config_of(model.config(), end));
}

}  // namespace temper::models
