// A question-answering BERT overfits a small hand-written file in SQuAD's format.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <temper/data/squad.hpp>
#include <temper/models/bert/heads.hpp>
#include <temper/temper.hpp>

using namespace temper;
using namespace temper::models;

TEST_CASE("a BERT learns to answer the questions of a file in SQuAD's format") {
  manual_seed(6);
  const data::Squad squad = data::read_squad(TEMPER_TEST_DIR "/golden/squad.json");
  std::vector<std::string> texts = squad.contexts;
  for (const auto& question : squad.questions) texts.push_back(question.question);
  const auto tokenizer = data::SentencePiece::train(texts, {.vocab_size = 70});
  const data::SquadDataset dataset(squad, tokenizer, {.max_length = 128, .stride = 32, .max_question = 32});
  REQUIRE(dataset.size() == 7);
  data::Loader loader(dataset, {.batch_size = 7});

  const BertForQuestionAnswering model(
      {.vocabulary = 70, .positions = 128, .layers = 2, .heads = 2, .width = 32, .hidden = 64, .dropout = 0});
  optim::AdamW adamw(model.parameters(), {.lr = 3e-3 * optim::warmup(10), .clip_norm = 1.0});
  const Tensor pad = indices({tokenizer.pad()});
  const auto logits = [&](const Tensor& ids, const Tensor& types) {
    return model(ids, {.mask = not_equal(ids, pad), .token_types = types});
  };
  double loss = 0;
  for (int epoch = 0; epoch < 200; ++epoch) {  // which vocabulary it has to learn depends on SentencePiece's version
    for (const auto& [ids, types, starts, ends] : loader) {
      Tape tape;
      const Tensor value = span_loss(logits(ids, types), starts, ends);
      tape.backward(value);
      adamw.step();
      loss = value.item();
    }
  }
  CHECK(loss < 0.02);

  // An answer is a part of the context, or the first token, which stands for no answer.
  for (const auto& [ids, types, starts, ends] : loader) {
    Tensor allowed = not_equal(types, indices({0}));
    for (std::int64_t n = 0; n < ids.size(0); ++n) allowed.mutable_data<bool>()[n * ids.size(1)] = true;
    const std::vector<Span> spans = best_spans(logits(ids, types), allowed);
    for (std::int64_t i = 0; i < dataset.size(); ++i) {
      const auto& question = squad.questions[dataset.question(i)];
      CAPTURE(question.question);
      const auto [start, end] = spans[static_cast<std::size_t>(i)];
      CHECK(dataset.answer(i, start, end) == (question.answers.empty() ? "" : question.answers[0].text));
    }
  }
}
