#include <temper/models/import/gpt2.hpp>

#include <initializer_list>
#include <utility>

namespace temper::models {

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

void save_gpt2(const std::filesystem::path& path, const Gpt& model) {
  export_model(path, model, gpt2_map(model.config()));
}

}  // namespace temper::models
