#include <temper/models/import/bert.hpp>

#include <initializer_list>
#include <string>
#include <utility>

#include <temper/io/shards.hpp>

#include "models/import/config_internal.hpp"

namespace temper::models {

namespace {

using nlohmann::json;

BertConfig parse(const json& object, std::string& problems) {
  detail::ConfigReader reader(object, problems);
  if (reader.text("model_type", "bert") != "bert") reader.expected("model_type", "bert");
  if (reader.text("hidden_act", "gelu") != "gelu") reader.expected("hidden_act", "gelu");
  if (reader.text("position_embedding_type", "absolute") != "absolute") {
    reader.expected("position_embedding_type", "absolute");
  }
  if (reader.flag("is_decoder", false)) reader.expected("is_decoder", "false");
  const double dropout = reader.number("hidden_dropout_prob", 0.1);
  if (reader.number("attention_probs_dropout_prob", dropout) != dropout) {
    reader.expected("attention_probs_dropout_prob", "what hidden_dropout_prob is");
  }
  return {.vocabulary = reader.size("vocab_size", 30522),
          .positions = reader.size("max_position_embeddings", 512),
          .token_types = reader.size("type_vocab_size", 2),
          .layers = reader.size("num_hidden_layers", 12),
          .heads = reader.size("num_attention_heads", 12),
          .width = reader.size("hidden_size", 768),
          .hidden = reader.size("intermediate_size", 3072),
          .dropout = dropout,
          .eps = static_cast<float>(reader.number("layer_norm_eps", 1e-12)),
          .init_deviation = reader.number("initializer_range", 0.02)};
}

/// Writes a folder of a BERT; `head` begins the names of what is not of the encoder.
template <class Model>
void save(const std::filesystem::path& folder, const Model& model, const BertConfig& config, const char* architecture,
          const char* head, const json& more = json::object()) {
  Tensors tensors;
  for (auto& [name, tensor] : export_tensors(state_dict(model), bert_map(model))) {
    tensors.emplace(head == nullptr || name.starts_with(head) ? name : "bert." + name, tensor);
  }
  save_shards(folder, tensors, {}, {{"format", "pt"}});
  json text = {{"architectures", {architecture}},       {"model_type", "bert"},
               {"vocab_size", config.vocabulary},       {"max_position_embeddings", config.positions},
               {"type_vocab_size", config.token_types}, {"num_hidden_layers", config.layers},
               {"num_attention_heads", config.heads},   {"hidden_size", config.width},
               {"intermediate_size", config.hidden},    {"hidden_act", "gelu"},
               {"hidden_dropout_prob", config.dropout}, {"attention_probs_dropout_prob", config.dropout},
               {"layer_norm_eps", config.eps},          {"initializer_range", config.init_deviation},
               {"tie_word_embeddings", true},           {"pad_token_id", 0}};
  text.update(more);
  detail::write_json(folder / "config.json", text);
}

/// Buffers, and the heads of pretraining.
bool is_pretraining_only(std::string_view name) {
  return name.ends_with("position_ids") || name.starts_with("pooler.") || name.starts_with("cls.");
}

/// Everything outside the encoder.
bool is_outside_encoder(std::string_view name) {
  return name.ends_with("position_ids") || !(name.starts_with("embeddings.") || name.starts_with("encoder."));
}

/// Maps the weight and the bias of a layer.
void add_layer(ImportMap& map, const std::string& ours, const std::string& theirs) {
  for (const char* part : {".weight", ".bias"}) map.rules.push_back({.ours = ours + part, .theirs = {theirs + part}});
}

ImportMap encoder_map(const Bert& model, const std::string& ours) {
  ImportMap map{.prefix = "bert.",
                .older = {{"*LayerNorm.gamma", "*LayerNorm.weight"}, {"*LayerNorm.beta", "*LayerNorm.bias"}},
                .ignored = is_pretraining_only};
  const auto embedding = [&](const std::string& our_name, const std::string& their_name) {
    map.rules.push_back({.ours = ours + our_name + ".weight", .theirs = {"embeddings." + their_name + ".weight"}});
  };
  embedding("token_embedding", "word_embeddings");
  embedding("position_embedding", "position_embeddings");
  embedding("type_embedding", "token_type_embeddings");
  add_layer(map, ours + "norm", "embeddings.LayerNorm");
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    const std::string block = ours + "blocks." + std::to_string(i) + ".";
    const std::string layer = "encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"weight", "bias"}) {
      ImportRule rule{.ours = block + "attention.in_proj_" + part};
      for (const char* projection : {"query.", "key.", "value."}) {
        rule.theirs.push_back(layer + "attention.self." + projection + part);
      }
      map.rules.push_back(std::move(rule));
    }
    add_layer(map, block + "attention.out_proj", layer + "attention.output.dense");
    add_layer(map, block + "attention_norm", layer + "attention.output.LayerNorm");
    add_layer(map, block + "up", layer + "intermediate.dense");
    add_layer(map, block + "down", layer + "output.dense");
    add_layer(map, block + "norm", layer + "output.LayerNorm");
  }
  return map;
}

}  // namespace

ImportMap bert_map(const Bert& model) {
  ImportMap map = encoder_map(model, "");
  map.prefixed = false;
  map.ignored = is_outside_encoder;
  return map;
}

ImportMap bert_map(const BertForMaskedLM& model) {
  ImportMap map = encoder_map(model.bert, "bert.");
  add_layer(map, "transform", "cls.predictions.transform.dense");
  add_layer(map, "norm", "cls.predictions.transform.LayerNorm");
  map.rules.push_back({.ours = "bias", .theirs = {"cls.predictions.bias"}});
  map.copies = {{.name = "cls.predictions.decoder.weight", .of = "embeddings.word_embeddings.weight"},
                {.name = "cls.predictions.decoder.bias", .of = "cls.predictions.bias"}};
  return map;
}

ImportMap bert_map(const BertForClassification& model) {
  ImportMap map = encoder_map(model.bert, "bert.");
  if (model.pooling() == BertPooling::first) add_layer(map, "pooler", "pooler.dense");
  add_layer(map, "classifier", "classifier");
  return map;
}

ImportMap bert_map(const BertForQuestionAnswering& model) {
  ImportMap map = encoder_map(model.bert, "bert.");
  add_layer(map, "outputs", "qa_outputs");
  return map;
}

BertConfig read_bert_config(const std::filesystem::path& path) { return detail::read_config(path, "Bert", parse); }

void save_bert(const std::filesystem::path& folder, const Bert& model) {
  save(folder, model, model.config(), "BertModel", nullptr);
}

void save_bert(const std::filesystem::path& folder, const BertForMaskedLM& model) {
  save(folder, model, model.bert.config(), "BertForMaskedLM", "cls.");
}

void save_bert(const std::filesystem::path& folder, const BertForClassification& model) {
  if (model.pooling() != BertPooling::first) {
    fail<ValueError>("save_bert: a classifier by the mean of the features, which Hugging Face's BERT does not have");
  }
  json labels;
  for (std::int64_t i = 0; i < model.classifier.weight.shape()[0]; ++i) {
    labels[std::to_string(i)] = "LABEL_" + std::to_string(i);
  }
  save(folder, model, model.bert.config(), "BertForSequenceClassification", "classifier.", {{"id2label", labels}});
}

void save_bert(const std::filesystem::path& folder, const BertForQuestionAnswering& model) {
  save(folder, model, model.bert.config(), "BertForQuestionAnswering", "qa_outputs.");
}

}  // namespace temper::models
