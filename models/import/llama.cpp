#include <temper/models/import/llama.hpp>

#include <algorithm>
#include <string>
#include <string_view>

#include <temper/io/shards.hpp>

#include "framework/core/format_internal.hpp"
#include "models/import/config_internal.hpp"

namespace temper::models {

namespace {

using detail::ConfigReader;
using nlohmann::json;
namespace fs = std::filesystem;

/// The scaling of positions: of older files "rope_scaling" beside "rope_theta", of newer ones "rope_parameters".
RotaryTableOptions read_rotary(ConfigReader& config, std::string& problems) {
  RotaryTableOptions options{.base = config.number("rope_theta", 10000.0)};
  const std::string_view key = config.at("rope_parameters").is_null() ? "rope_scaling" : "rope_parameters";
  const json& object = config.at(key);
  if (object.is_null()) return options;
  if (!object.is_object()) {
    config.expected(key, "an object");
    return options;
  }
  ConfigReader reader(object, problems);
  options.base = reader.number("rope_theta", options.base);
  const std::string type = reader.text("rope_type", reader.text("type", "default"));
  if (type == "linear") {
    options.factor = reader.number("factor", 1.0);
  } else if (type == "llama3") {
    options.llama3 = Llama3Scaling{.factor = reader.number("factor", 8.0),
                                   .low = reader.number("low_freq_factor", 1.0),
                                   .high = reader.number("high_freq_factor", 4.0),
                                   .context = reader.number("original_max_position_embeddings", 8192.0)};
  } else if (type != "default") {
    config.expected(key, "positions that are not scaled, or scaled as linear or llama3");
  }
  if (reader.number("partial_rotary_factor", 1.0) != 1.0) reader.expected("partial_rotary_factor", "1");
  return options;
}

LlamaConfig parse(const json& object, std::string& problems) {
  ConfigReader reader(object, problems);
  const std::string type = reader.text("model_type", "");
  const bool qwen = type == "qwen2", mistral = type == "mistral";
  if (!qwen && !mistral && type != "llama") reader.expected("model_type", "llama, mistral or qwen2");
  if (const std::string act = reader.text("hidden_act", "silu"); act != "silu") reader.expected("hidden_act", "silu");
  for (const char* key : {"rope_interleaved", "use_mrope"}) {
    if (reader.flag(key, false)) reader.expected(key, "false");
  }
  if (reader.number("partial_rotary_factor", 1.0) != 1.0) reader.expected("partial_rotary_factor", "1");
  if (!reader.at("quantization_config").is_null()) reader.expected("quantization_config", "none");

  const bool biased = reader.flag("attention_bias", false);
  LlamaConfig config{.vocabulary = reader.size("vocab_size", 32000),
                     .context = reader.size("max_position_embeddings", 2048),
                     .layers = reader.size("num_hidden_layers", 32),
                     .heads = reader.size("num_attention_heads", 32),
                     .kv_heads = reader.size("num_key_value_heads", 0),
                     .width = reader.size("hidden_size", 4096),
                     .head_features = reader.size("head_dim", 0),
                     .hidden = reader.size("intermediate_size", 11008),
                     .eps = static_cast<float>(reader.number("rms_norm_eps", 1e-6)),
                     .rotary = read_rotary(reader, problems),
                     .tied = reader.flag("tie_word_embeddings", false),
                     .qkv_bias = qwen || biased,
                     .output_bias = !qwen && biased,
                     .feed_forward_bias = reader.flag("mlp_bias", false)};
  const bool windowed = mistral || reader.flag("use_sliding_window", false);
  if (windowed) config.context = std::min(config.context, reader.size("sliding_window", config.context));
  return config;
}

json config_of(const LlamaConfig& config, std::int64_t end) {
  const bool qwen = config.qkv_bias && !config.output_bias;
  json scaling = {{"rope_type", "default"}, {"rope_theta", config.rotary.base}};
  if (config.rotary.factor != 1.0) {
    scaling["rope_type"] = "linear";
    scaling["factor"] = config.rotary.factor;
  } else if (const auto& llama3 = config.rotary.llama3) {
    scaling["rope_type"] = "llama3";
    scaling["factor"] = llama3->factor;
    scaling["low_freq_factor"] = llama3->low;
    scaling["high_freq_factor"] = llama3->high;
    scaling["original_max_position_embeddings"] = static_cast<std::int64_t>(llama3->context);
  }
  json text = {{"architectures", {qwen ? "Qwen2ForCausalLM" : "LlamaForCausalLM"}},
               {"model_type", qwen ? "qwen2" : "llama"},
               {"vocab_size", config.vocabulary},
               {"max_position_embeddings", config.context},
               {"num_hidden_layers", config.layers},
               {"num_attention_heads", config.heads},
               {"num_key_value_heads", config.kv_heads},
               {"hidden_size", config.width},
               {"head_dim", config.head_features},
               {"intermediate_size", config.hidden},
               {"hidden_act", "silu"},
               {"rms_norm_eps", config.eps},
               {"rope_theta", config.rotary.base},
               {"rope_parameters", scaling},
               {"tie_word_embeddings", config.tied},
               {"initializer_range", config.init_deviation},
               {"bos_token_id", nullptr},
               {"eos_token_id", end < 0 ? json() : json(end)}};
  if (!qwen) {
    text["attention_bias"] = config.qkv_bias;
    text["mlp_bias"] = config.feed_forward_bias;
  }
  // Readers older than "rope_parameters" look here, and do not know "default".
  text["rope_scaling"] = scaling["rope_type"] == "default" ? json() : scaling;
  return text;
}

}  // namespace

LlamaConfig read_llama_config(const fs::path& path) { return detail::read_config(path, "Llama", parse); }

ImportMap llama_map(const LlamaConfig& config) {
  ImportMap map{.rules = {{.ours = "token_embedding.weight", .theirs = {"model.embed_tokens.weight"}},
                          {.ours = "norm.weight", .theirs = {"model.norm.weight"}}},
                .older = {{"embed_tokens.weight", "model.embed_tokens.weight"},
                          {"norm.weight", "model.norm.weight"},
                          {"layers.*", "model.layers.*"}},
                .ignored = [](std::string_view name) { return name.ends_with("rotary_emb.inv_freq"); }};
  if (config.tied) {
    map.copies.push_back({.name = "lm_head.weight", .of = "model.embed_tokens.weight"});
  } else {
    map.rules.push_back({.ours = "head.weight", .theirs = {"lm_head.weight"}});
  }
  for (std::int64_t i = 0; i < config.layers; ++i) {
    const std::string ours = fmt::format("blocks.{}.", i), theirs = fmt::format("model.layers.{}.", i);
    const auto add = [&](const std::string& our_name, const std::string& their_name) {
      map.rules.push_back({.ours = ours + our_name, .theirs = {theirs + their_name}});
    };
    const auto add_linear = [&](const std::string& our_name, const std::string& their_name, bool bias) {
      add(our_name + ".weight", their_name + ".weight");
      if (bias) add(our_name + ".bias", their_name + ".bias");
    };
    add("norm1.weight", "input_layernorm.weight");
    for (const char* name : {"q_proj", "k_proj", "v_proj"}) {
      add_linear(std::string("attention.") + name, std::string("self_attn.") + name, config.qkv_bias);
    }
    add_linear("attention.o_proj", "self_attn.o_proj", config.output_bias);
    add("norm2.weight", "post_attention_layernorm.weight");
    for (const char* name : {"gate_proj", "up_proj", "down_proj"}) {
      add_linear(name, std::string("mlp.") + name, config.feed_forward_bias);
    }
  }
  return map;
}

void load_llama(const fs::path& path, Llama& model, const MatchOptions& options) {
  import_model(path, model, llama_map(model.config()), options);
}

void save_llama(const fs::path& folder, const Llama& model, std::int64_t end) {
  const LlamaConfig& config = model.config();
  if (config.output_bias && !config.qkv_bias) {
    fail<ValueError>("save_llama: output_bias without qkv_bias, which no published architecture has");
  }
  if (config.qkv_bias && !config.output_bias && config.feed_forward_bias) {
    fail<ValueError>(
        "save_llama: qkv_bias and feed_forward_bias without output_bias, which no published architecture has");
  }
  save_shards(folder, export_tensors(state_dict(model), llama_map(config)), {}, {{"format", "pt"}});
  detail::write_json(folder / "config.json", config_of(config, end));
}

}  // namespace temper::models
