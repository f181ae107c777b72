#include <temper/models/bert/heads.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <temper/models/import/bert.hpp>
#include <temper/temper.hpp>

#include "tests/data/files.hpp"
#include "tests/larger.hpp"
#include "tests/models/directional.hpp"

using namespace temper;
using namespace temper::models;

namespace {

const BertConfig tiny = {
    .vocabulary = 23, .positions = 12, .token_types = 2, .layers = 2, .heads = 3, .width = 12, .hidden = 20};

std::string golden(const std::string& name) { return TEMPER_TEST_DIR "/golden/bert_" + name + ".safetensors"; }

double largest(const Tensor& x) {
  double found = 0;
  for (const float value : x.values<float>()) found = temper_test::larger(found, std::abs(static_cast<double>(value)));
  return found;
}

/// A recorded case, and the model's inputs in it.
struct Recorded {
  explicit Recorded(const std::string& name) : tensors(load_tensors(golden(name + "_expected")).tensors) {}

  const Tensor& operator[](const std::string& key) const { return tensors.at(key); }
  BertInputs inputs() const { return {.mask = (*this)["mask"], .token_types = (*this)["types"]}; }

  Tensors tensors;
};

/// Runs backward, and compares the loss and the gradients, by Hugging Face's names, with the recorded ones.
template <class Model>
void check_gradients(const Model& model, Tape& tape, const Tensor& loss, const Recorded& recorded) {
  tape.backward(loss);
  CHECK(std::abs(loss.item() - recorded["loss"].item()) <= 1e-5);
  Tensors ours;
  for (const Parameter& parameter : model.parameters()) ours.emplace(parameter.name(), parameter.gradient());
  const Tensors gradients = export_tensors(ours, bert_map(model));
  const auto expected = [&](const std::string& name) -> const Tensor& {
    const std::string key = "gradient." + name;
    return recorded[recorded.tensors.contains(key) ? key : "gradient.bert." + name];
  };
  const auto stored =
      std::ranges::count_if(recorded.tensors, [](const auto& entry) { return entry.first.starts_with("gradient."); });
  CHECK(static_cast<std::int64_t>(gradients.size()) == stored);
  double scale = 0;
  for (const auto& [name, gradient] : gradients) scale = std::max(scale, largest(expected(name)));
  for (const auto& entry : gradients) {
    const auto& [name, gradient] = entry;
    CAPTURE(entry.first);
    CHECK(largest(gradient - expected(name)) <= 5e-5 * scale);
  }
}

/// The rows of features or logits [N, T, E] where the mask is true, as [rows, E].
Tensor real_rows(const Tensor& x, const Tensor& mask) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < mask.numel(); ++i) {
    if (mask.data<bool>()[i]) rows.push_back(i);
  }
  const NoTape unrecorded;
  return embedding(from(rows, {static_cast<std::int64_t>(rows.size())}), reshape(x, {mask.numel(), x.size(-1)}));
}

Tensor random_tokens(std::int64_t count, std::int64_t length, std::int64_t vocabulary) {
  Tensor tokens = empty({count, length}, Dtype::i64);
  const detail::RandomStream random(7, detail::RandomUse::draw, 0);
  std::uint64_t i = 0;
  for (std::int64_t& token : tokens.mutable_values<std::int64_t>()) {
    token = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(vocabulary), i++));
  }
  return tokens;
}

/// A text of one token.
Tensor full_of(std::int64_t token) { return reshape(indices({token}), {1, 1}); }

/// The loss after some steps of AdamW.
template <class Loss>
double trained(const nn::Module& model, Loss loss, int steps) {
  optim::AdamW adamw(model.parameters(), {.lr = 5e-3 * optim::warmup(10)});
  double last = 0;
  for (int step = 0; step < steps; ++step) {
    Tape tape;
    const Tensor value = loss();
    tape.backward(value);
    adamw.step();
    last = value.item();
  }
  return last;
}

BertConfig without_dropout(BertConfig config) {
  config.dropout = 0;
  return config;
}

}  // namespace

TEST_CASE("a masked-LM BERT of Hugging Face's gives PyTorch's logits and gradients") {
  BertForMaskedLM model(without_dropout(tiny));
  load_bert(golden("masked_lm"), model);
  const Recorded recorded("masked_lm");
  const Tensor all = model(recorded["tokens"], recorded.inputs());
  CHECK(largest(real_rows(all, recorded["mask"]) - recorded["logits"]) <= 1e-4);
  Tape tape;
  const Tensor logits = model.at(recorded["positions"], recorded["tokens"], recorded.inputs());
  check_gradients(model, tape, cross_entropy(logits, recorded["labels"]), recorded);
}

TEST_CASE("a classifying BERT of Hugging Face's gives PyTorch's logits and gradients") {
  BertForClassification model(without_dropout(tiny), 5);
  load_bert(golden("classification"), model);
  const Recorded recorded("classification");
  Tape tape;
  const Tensor logits = model(recorded["tokens"], recorded.inputs());
  CHECK(largest(logits - recorded["logits"]) <= 1e-4);
  check_gradients(model, tape, cross_entropy(logits, recorded["labels"]), recorded);
}

TEST_CASE("a question-answering BERT of Hugging Face's gives PyTorch's logits and gradients") {
  BertForQuestionAnswering model(without_dropout(tiny));
  load_bert(golden("question_answering"), model);
  const Recorded recorded("question_answering");
  Tape tape;
  const SpanLogits logits = model(recorded["tokens"], recorded.inputs());
  const Tensor both = stack({logits.starts, logits.ends}, 2);
  CHECK(largest(both - recorded["logits"]) <= 1e-4);
  check_gradients(model, tape, span_loss(logits, recorded["starts"], recorded["ends"]), recorded);
}

TEST_CASE("the encoder of any BERT can be loaded, to be fine-tuned") {
  BertForMaskedLM pretrained(tiny);
  load_bert(golden("masked_lm"), pretrained);
  BertForClassification model(tiny, 3);
  load_bert(golden("masked_lm"), model.bert);
  const Tensor tokens = random_tokens(2, 5, tiny.vocabulary);
  CHECK(largest(model.bert(tokens) - pretrained.bert(tokens)) == 0.0);
  CHECK_THROWS_AS(load_bert(golden("masked_lm"), model), FileError);  // it has no classifier
}

TEST_CASE("BERT's norms may be called gamma and beta, as in files of before 2020") {
  Tensors older;
  for (const auto& [name, tensor] : load_tensors(golden("masked_lm")).tensors) {
    std::string old = name;
    for (const auto& [is, was] : {std::pair<std::string, std::string>{"LayerNorm.weight", "LayerNorm.gamma"},
                                  {"LayerNorm.bias", "LayerNorm.beta"}}) {
      if (old.ends_with(is)) old.replace(old.size() - is.size(), is.size(), was);
    }
    older.emplace(old, tensor);
  }
  REQUIRE(older.contains("bert.embeddings.LayerNorm.gamma"));
  const temper_test::Folder folder;
  save_tensors(folder / "old.safetensors", older);
  BertForMaskedLM model(tiny), expected(tiny);
  load_bert(golden("masked_lm"), expected);
  load_bert(folder / "old.safetensors", model);
  const Tensors ours = state_dict(model), theirs = state_dict(expected);
  for (const auto& [name, tensor] : ours)
    CHECK(std::ranges::equal(tensor.values<float>(), theirs.at(name).values<float>()));
}

TEST_CASE("a pretrained BERT is loaded into a classifier, which keeps its initial head") {
  BertForMaskedLM pretrained(tiny);
  load_bert(golden("masked_lm"), pretrained);
  Tensors tensors = load_tensors(golden("masked_lm")).tensors;
  tensors["bert.pooler.dense.weight"] = full({tiny.width, tiny.width}, 0.5f);
  tensors["bert.pooler.dense.bias"] = zeros({tiny.width});
  tensors["cls.seq_relationship.weight"] = zeros({2, tiny.width});
  const temper_test::Folder folder;
  save_tensors(folder / "pretrained.safetensors", tensors);
  BertForClassification model(tiny, 3);
  const Tensor classifier = state_dict(model).at("classifier.weight").clone();
  load_bert(folder / "pretrained.safetensors", model, {.allow_missing = {"classifier.*"}});
  const Tensors state = state_dict(model);
  CHECK(std::ranges::equal(state.at("classifier.weight").values<float>(), classifier.values<float>()));
  if (state.contains("pooler.weight")) CHECK(state.at("pooler.weight").values<float>()[0] == 0.5f);
  const Tensor tokens = random_tokens(2, 5, tiny.vocabulary);
  CHECK(largest(model.bert(tokens) - pretrained.bert(tokens)) == 0.0);
}

TEST_CASE("BERT's tied weights are one parameter") {
  manual_seed(1);
  const BertForMaskedLM model(without_dropout(tiny));
  const auto parameters = model.parameters();
  CHECK(std::ranges::count_if(parameters, [&](const Parameter& parameter) {
          return parameter.shape() == Shape{tiny.vocabulary, tiny.width};
        }) == 1);
  // The only input token is 3, the only target 5: row 3 gets its gradient from the embedding, row 5 from the head.
  Tape tape;
  tape.backward(cross_entropy(model.at(indices({0}), full_of(3)), indices({5})));
  const Tensor& gradient = model.bert.token_embedding.weight.gradient();
  CHECK(largest(slice(gradient, 0, 3, 4)) > 0);
  CHECK(largest(slice(gradient, 0, 5, 6)) > 0);
}

TEST_CASE("padding does not change the features of the other tokens") {
  manual_seed(2);
  BertConfig config = tiny;
  config.init_deviation = 0.2;
  const BertForClassification first(config, 4), mean(config, 4, BertPooling::mean);
  const std::array<std::int64_t, 3> lengths = {5, 7, 1};
  const Tensor tokens = random_tokens(3, 7, tiny.vocabulary), mask = length_mask(lengths, 7);
  const Tensor batched = first(tokens, {.mask = mask}), averaged = mean(tokens, {.mask = mask});
  const Tensor features = first.bert(tokens, {.mask = mask});
  for (std::int64_t n = 0; n < 3; ++n) {
    CAPTURE(n);
    const std::int64_t length = lengths[static_cast<std::size_t>(n)];
    const Tensor alone = slice(slice(tokens, 0, n, n + 1), 1, 0, length);
    CHECK(largest(first(alone) - slice(batched, 0, n, n + 1)) <= 1e-6);
    CHECK(largest(mean(alone) - slice(averaged, 0, n, n + 1)) <= 1e-6);
    CHECK(largest(first.bert(alone) - slice(slice(features, 0, n, n + 1), 1, 0, length)) <= 1e-5);
  }
  // Whatever token is at the padding.
  Tensor other = tokens.clone();
  for (std::int64_t i = 0; i < other.numel(); ++i) {
    if (!mask.data<bool>()[i]) other.mutable_data<std::int64_t>()[i] = 0;
  }
  CHECK(largest(first(other, {.mask = mask}) - batched) == 0.0);
  CHECK(largest(first(tokens) - batched) > 1e-4);  // without a mask, padding changes them
}

TEST_CASE("the mean of tokens leaves padding out, and is 0 when there is nothing else") {
  const Tensor features = from({1, 2, 3, 5, 7, 7, 4, 4}, {2, 2, 2});
  const Tensor one = to(indices({1, 0, 0, 0}), Dtype::boolean).view({2, 2});
  const auto values = [](const Tensor& x) {
    return std::vector<float>(x.values<float>().begin(), x.values<float>().end());
  };
  CHECK(values(mean_of_tokens(features, one)) == std::vector<float>{1, 2, 0, 0});
  CHECK(values(mean_of_tokens(features, Tensor())) == std::vector<float>{2, 3.5f, 5.5f, 5.5f});
}

TEST_CASE("BERT's gradient agrees with directional differences") {
  manual_seed(3);
  BertConfig config = without_dropout(tiny);
  config.init_deviation = 0.2;
  const std::vector<std::int64_t> lengths(64, 9);
  const Tensor tokens = random_tokens(64, 12, config.vocabulary), mask = length_mask(lengths, 12);
  Tensor labels = empty({64}, Dtype::i64);
  for (std::int64_t i = 0; i < 64; ++i) labels.mutable_data<std::int64_t>()[i] = i % 4 == 0 ? i % 7 : 3;
  const CrossEntropyOptions each{.reduction = Reduction::none};
  const BertForClassification classifier(config, 7);
  test::check_directional(classifier.parameters(),
                          [&] { return cross_entropy(classifier(tokens, {.mask = mask}), labels, each); });
  const BertForMaskedLM masked(config);
  test::check_directional(masked.parameters(), [&] {
    return cross_entropy(masked.at(slice(arange(64 * 12), 0, 0, 64), tokens, {.mask = mask}), labels, each);
  });
}

TEST_CASE("BERTs can overfit a batch") {
  manual_seed(4);
  BertConfig config = without_dropout(tiny);
  config.width = 24;
  const std::array<std::int64_t, 4> lengths = {9, 4, 2, 7};
  const Tensor tokens = random_tokens(4, 9, config.vocabulary), mask = length_mask(lengths, 9);
  const BertInputs inputs{.mask = mask};
  const Tensor labels = indices({2, 0, 1, 2}), positions = indices({1, 10, 18, 30});

  const BertForClassification classifier(config, 3), averaging(config, 3, BertPooling::mean);
  CHECK(trained(
            classifier, [&] { return cross_entropy(classifier(tokens, inputs), labels); }, 60) < 0.01);
  CHECK(trained(
            averaging, [&] { return cross_entropy(averaging(tokens, inputs), labels); }, 60) < 0.01);
  const BertForMaskedLM masked(config);
  const Tensor expected = indices({7, 8, 9, 7});
  CHECK(trained(
            masked, [&] { return cross_entropy(masked.at(positions, tokens, inputs), expected); }, 120) < 0.01);
  const BertForQuestionAnswering answering(config);
  const Tensor starts = indices({3, 1, 0, 2}), ends = indices({8, 1, 1, 4});
  CHECK(trained(
            answering, [&] { return span_loss(answering(tokens, inputs), starts, ends); }, 120) < 0.01);
  const auto found = best_spans(answering(tokens, inputs), mask);
  CHECK(found == std::vector<Span>{{3, 8}, {1, 1}, {0, 1}, {2, 4}});
}

TEST_CASE("the best span starts before it ends, is allowed, and not too long") {
  const Tensor starts = from({0, 9, 1, 5, 0, 0}, {1, 6}), ends = from({9, 0, 4, 0, 3, 8}, {1, 6});
  const auto best = [&](std::initializer_list<bool> where, std::int64_t longest) {
    Tensor allowed = empty({1, 6}, Dtype::boolean);
    std::ranges::copy(where, allowed.mutable_data<bool>());
    return best_spans({starts, ends}, allowed, longest)[0];
  };
  CHECK(best({true, true, true, true, true, true}, 30) == Span{1, 5});  // 9 + 8; the end before the start is no span
  CHECK(best({true, true, true, true, true, true}, 2) == Span{1, 2});   // 9 + 4, and not 5 + 3
  CHECK(best({false, false, true, true, true, false}, 30) == Span{3, 4});
  CHECK_THROWS_WITH_AS(best({false, false, false, false, false, false}, 30), "best_spans: text 0 has no allowed token",
                       ValueError);
}

TEST_CASE("BERT: invalid arguments throw") {
  const Bert bert(tiny);
  const Tensor tokens = zeros({2, 4}, Dtype::i64);
  CHECK_THROWS_WITH_AS(bert(zeros({2, 4})), "Bert: tokens f32 [2, 4], expected i64 [N, T] with T from 1 to 12",
                       ShapeError);
  CHECK_THROWS_AS(bert(zeros({2, 13}, Dtype::i64)), ShapeError);
  CHECK_THROWS_WITH_AS(bert(tokens, {.mask = zeros({2, 3}, Dtype::boolean)}),
                       "Bert: mask bool [2, 3], expected bool [2, 4] as the tokens", ShapeError);
  CHECK_THROWS_AS(bert(tokens, {.token_types = zeros({2, 3}, Dtype::i64)}), ShapeError);
  CHECK_THROWS_AS(bert(tokens, {.mask = zeros({2, 4}, Dtype::boolean)}), ValueError);  // nothing but padding
  CHECK_THROWS_AS(bert(full_of(23)), ValueError);
  CHECK_THROWS_WITH_AS(length_mask(std::array<std::int64_t, 2>{3, 0}, 4), "length_mask: length 0, expected 1 to 4",
                       ValueError);
  BertConfig config = tiny;
  config.heads = 5;
  CHECK_THROWS_AS(Bert{config}, ValueError);
  config = tiny;
  config.layers = 0;
  CHECK_THROWS_WITH_AS(Bert{config}, "Bert: layers 0, expected at least 1", ValueError);
}
