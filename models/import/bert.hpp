#pragma once

#include <filesystem>

#include <temper/models/bert/heads.hpp>
#include <temper/models/import/import_map.hpp>

namespace temper::models {

/// What Hugging Face calls the tensors of a BERT: "encoder.layer.0.attention.self.query.weight", with or without
/// "bert." before it, norms called gamma and beta or weight and bias; our projections of queries, keys and values are
/// one tensor. The heads of pretraining ("cls.") are ignored by models without.
ImportMap bert_map(const BertForMaskedLM& model);
ImportMap bert_map(const BertForClassification& model);
ImportMap bert_map(const BertForQuestionAnswering& model);
/// The encoder of whatever BERT a file holds: `load_bert(file, classifier.bert)` is how fine-tuning begins.
ImportMap bert_map(const Bert& model);

/// Reads a BERT as Hugging Face stores it (model.safetensors) into a model of the same sizes, all or nothing.
/// Throws: FileError when the file is damaged, or does not fit the model; then it lists every tensor that does not.
/// A pretrained BERT into one that classifies, whose classifier starts anew:
/// load_bert(file, model, {.allow_missing = {"classifier.*"}}).
template <class Model>
void load_bert(const std::filesystem::path& path, Model& model, const MatchOptions& options = {}) {
  import_model(path, model, bert_map(model), options);
}

}  // namespace temper::models
