#include <temper/models/import/bert.hpp>

#include <initializer_list>
#include <utility>

namespace temper::models {

namespace {

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

}  // namespace temper::models
