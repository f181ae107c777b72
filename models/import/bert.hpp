#pragma once

#include <filesystem>

#include <temper/models/bert/heads.hpp>
#include <temper/models/import/import_map.hpp>

namespace temper::models {

// BERT as Hugging Face stores it: "bert.encoder.layer.0.attention.self.query.weight", with or without "bert." before
// it. The load functions read a file (model.safetensors) into a model of the same sizes, all or nothing; they throw
// FileError when the file is damaged, or does not fit the model, and list then every tensor that does not. The save
// functions write what Hugging Face's model of that name reads.

ImportMap bert_map(const Bert& model);
ImportMap bert_map(const BertForMaskedLM& model);
ImportMap bert_map(const BertForClassification& model);
ImportMap bert_map(const BertForQuestionAnswering& model);

/// The encoder of whatever BERT the file holds: `load_bert(file, classifier.bert)` begins to fine-tune.
void load_bert(const std::filesystem::path& path, Bert& model);
void load_bert(const std::filesystem::path& path, BertForMaskedLM& model);
void load_bert(const std::filesystem::path& path, BertForClassification& model);
void load_bert(const std::filesystem::path& path, BertForQuestionAnswering& model);

void save_bert(const std::filesystem::path& path, const BertForMaskedLM& model);
void save_bert(const std::filesystem::path& path, const BertForClassification& model);
void save_bert(const std::filesystem::path& path, const BertForQuestionAnswering& model);

}  // namespace temper::models
