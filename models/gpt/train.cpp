#include <memory>

#include <temper/models/gpt/gpt.hpp>
#include <temper/models/language/train_text.hpp>

namespace temper::models {

namespace {

/// The options of this program's model.
struct Options {
  GptConfig gpt = {.context = 256, .layers = 4, .heads = 3, .width = 192, .init_deviation = 0.05};
  TextOptions text = {};

  void add_to(OwnOptions& own) {
    own.add("--layers", gpt.layers, "blocks");
    own.add("--heads", gpt.heads, "attention heads of a block");
    own.add("--width", gpt.width, "embedding dimension");
    own.add("--context", gpt.context, "sequence length in tokens");
    own.add("--dropout", gpt.dropout, "fraction of the features dropped in training");
    own.flag("--recompute", gpt.recompute, "recomputes each block in backward, to save memory");
    text.add_to(own);
  }
};

void train(Run& run, const Options& options) {
  train_text(run, options.text, [&](std::int64_t vocabulary) {
    GptConfig config = options.gpt;
    config.vocabulary = vocabulary;
    return std::make_unique<Gpt>(config);
  });
}

}  // namespace

}  // namespace temper::models

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  Options options;
  return run_program(
      text_program("gpt", "Trains a GPT on a text, by default on the King James Bible."), argc, argv,
      [&](OwnOptions& own) { options.add_to(own); }, [&](Run& run) { train(run, options); });
}
