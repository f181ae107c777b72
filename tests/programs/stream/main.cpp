// A program on data that is never in memory as a whole, for the tests that kill and resume: shuffled records out of
// several files for one loader, a mapped text of tokens for another, examples by length for a third.

#include <temper/data/batch_sampler.hpp>
#include <temper/data/records.hpp>
#include <temper/data/token_file.hpp>
#include <temper/run/loop.hpp>
#include <temper/run/program.hpp>

using namespace temper;

namespace {

void train(Run& run) {
  const std::string& folder = run.options().data;
  const std::int64_t batch = run.loader_options().batch_size;
  data::Loader records(data::TensorRecords<2>(folder, {.shuffle = true, .buffer = 16, .block = 4}),
                       {.batch_size = batch});
  data::Loader text(data::TextDataset(data::TokenFile(folder + "/text.npy"), {.length = 6}),
                    {.batch_size = 3, .shuffle = true});
  const std::vector<std::int64_t> lengths{5, 1, 4, 1, 3, 2, 2, 5, 3, 1};
  data::Loader by_length(data::TensorDataset(arange(10)),
                         {.batch_sampler = data::by_length(lengths, {.batch_size = 3})});
  const nn::Sequential model(nn::Linear(4, 8), nn::Tanh(), nn::Linear(8, 3));
  const nn::Embedding embedding(20, 4);
  const auto optimizer = run.optimizer(model, records.batches()), other = run.optimizer(embedding, records.batches());

  Loop loop(run);
  loop.model("model", model)
      .model("embedding", embedding)
      .optimizer("model", *optimizer)
      .optimizer("embedding", *other);
  auto example = loop.batches("records", records);
  auto piece = loop.batches("text", text);
  auto numbers = loop.batches("by length", by_length);
  loop.evaluate([&] { return Metrics{{"test score", mean(model(ones({1, 4}))).item()}}; });
  while (loop.next()) {
    const auto [features, labels] = example.next();
    const auto [tokens, next] = piece.next();
    const auto [chosen] = numbers.next();
    Tape tape;
    const Tensor loss = cross_entropy(model(features), labels) + mean(square(model(mean(embedding(tokens), {1})))) +
                        mean(square(embedding(chosen)));
    tape.backward(loss);
    optimizer->step();
    other->step();
    loop.log("train/loss", loss.item());
    loop.seen(features.size(0));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_program({.name = "stream", .description = "Trains on data that is never in memory as a whole."}, argc,
                     argv, train);
}
