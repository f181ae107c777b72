#include <temper/models/import/llama.hpp>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include <temper/io/shards.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/json_depth_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"

namespace temper::models {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t max_config_bytes = 1 << 20;
constexpr double max_size = 1 << 28;  // of any size in a configuration

/// Reads the entries of an object, and gathers what is wrong with them.
class Reader {
 public:
  Reader(const json& object, std::string& problems) : object_(object), problems_(problems) {}

  /// The entry, or null when it is not there or null.
  const json& at(std::string_view key) const {
    static const json null;
    const auto found = object_.find(key);
    return found == object_.end() ? null : *found;
  }
  double number(std::string_view key, double missing) {
    const json& value = at(key);
    if (value.is_null()) return missing;
    if (value.is_number()) return value.get<double>();
    expected(key, "a number");
    return missing;
  }
  std::int64_t size(std::string_view key, std::int64_t missing) {
    const double value = number(key, static_cast<double>(missing));
    if (value >= 0 && value <= max_size && value == std::floor(value)) return static_cast<std::int64_t>(value);
    expected(key, "a whole number from 0 to 2^28");
    return missing;
  }
  bool flag(std::string_view key, bool missing) {
    const json& value = at(key);
    if (value.is_null()) return missing;
    if (value.is_boolean()) return value.get<bool>();
    expected(key, "true or false");
    return missing;
  }
  std::string text(std::string_view key, std::string missing) {
    const json& value = at(key);
    if (value.is_null()) return missing;
    if (value.is_string()) return value.get<std::string>();
    expected(key, "a text");
    return missing;
  }
  void expected(std::string_view key, std::string_view what) {
    const std::string found = at(key).dump(-1, ' ', false, json::error_handler_t::replace);
    problems_ += fmt::format("\n  {} is {}, expected {}", key, detail::printable(found), what);
  }

 private:
  const json& object_;
  std::string& problems_;
};

/// The scaling of positions: of older files "rope_scaling" beside "rope_theta", of newer ones "rope_parameters".
RotaryTableOptions read_rotary(Reader& config, std::string& problems) {
  RotaryTableOptions options{.base = config.number("rope_theta", 10000.0)};
  const std::string_view key = config.at("rope_parameters").is_null() ? "rope_scaling" : "rope_parameters";
  const json& object = config.at(key);
  if (object.is_null()) return options;
  if (!object.is_object()) {
    config.expected(key, "an object");
    return options;
  }
  Reader reader(object, problems);
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
  Reader reader(object, problems);
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

std::string config_text(const LlamaConfig& config, std::int64_t end) {
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
  return text.dump(2) + "\n";
}

}  // namespace

LlamaConfig read_llama_config(const fs::path& path) {
  std::error_code ignored;
  const fs::path file = fs::is_directory(path, ignored) ? path / "config.json" : path;
  const std::string text = detail::read_text(file, max_config_bytes);
  return detail::with_path(file, [&] {
    detail::check_json_depth(text);
    const json object = json::parse(text, nullptr, false);
    if (!object.is_object()) fail<FileError>("not a JSON object");
    std::string problems;
    const LlamaConfig config = parse(object, problems);
    if (!problems.empty()) fail<FileError>("a model that Llama cannot be:{}", problems);
    return config;
  });
}

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
  const std::string text = config_text(config, end);
  detail::AtomicFile file(folder / "config.json");
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace temper::models
