#pragma once

#include <filesystem>

#include <temper/models/bert/heads.hpp>
#include <temper/models/import/import_map.hpp>

namespace temper::models {

/// The configuration in Hugging Face's config.json (the file, or the folder that holds it) of a model of the type bert.
/// Throws: FileError for a file that is damaged, and for what Bert does not have, such as other activations or relative
/// positions; the text lists all of it.
BertConfig read_bert_config(const std::filesystem::path& path);

/// Hugging Face's names for the tensors of a BERT: "encoder.layer.0.attention.self.query.weight", with or without the
/// prefix "bert."; norms have gamma and beta or weight and bias. Query, key and value projections are stacked into
/// Temper's one tensor. The heads of pretraining ("cls.") are ignored by models that have none.
ImportMap bert_map(const BertForMaskedLM& model);
ImportMap bert_map(const BertForClassification& model);
ImportMap bert_map(const BertForQuestionAnswering& model);
/// The encoder of any BERT, without its head. To fine-tune a classifier: `load_bert(file, classifier.bert)`.
ImportMap bert_map(const Bert& model);

/// Loads Hugging Face's file, index of shards, or folder of a BERT into a model of the same sizes, all or nothing.
/// Throws: FileError when the file is damaged, or does not fit the model; then it lists every tensor that does not.
/// To load a pretrained BERT into a classifier and keep the classifier's initial head:
/// load_bert(file, model, {.allow_missing = {"classifier.*"}}).
template <class Model>
void load_bert(const std::filesystem::path& path, Model& model, const MatchOptions& options = {}) {
  import_model(path, model, bert_map(model), options);
}

/// Writes a folder with config.json and weights, in shards if they are large, that Hugging Face's transformers loads;
/// of the encoder alone without the pooler that theirs has. Throws: FileError when a file cannot be written; ValueError
/// for a classifier with BertPooling::mean, which they do not have.
void save_bert(const std::filesystem::path& folder, const Bert& model);
void save_bert(const std::filesystem::path& folder, const BertForMaskedLM& model);
void save_bert(const std::filesystem::path& folder, const BertForClassification& model);
void save_bert(const std::filesystem::path& folder, const BertForQuestionAnswering& model);

}  // namespace temper::models
