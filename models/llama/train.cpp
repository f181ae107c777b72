#include <memory>

#include <temper/models/language/train_text.hpp>
#include <temper/models/llama/llama.hpp>

namespace temper::models {

namespace {

/// The options of this program's model.
struct Options {
  LlamaConfig llama = {.context = 256, .layers = 4, .heads = 3, .width = 192, .hidden = 512, .init_deviation = 0.05};
  TextOptions text = {};

  void add_to(OwnOptions& own) {
    own.add("--layers", llama.layers, "blocks");
    own.add("--heads", llama.heads, "heads of queries in a block");
    own.add("--kv-heads", llama.kv_heads, "heads of keys and values, a divisor of --heads; 0: as many");
    own.add("--width", llama.width, "embedding dimension");
    own.add("--hidden", llama.hidden, "features between the feed-forward layers");
    own.add("--context", llama.context, "sequence length in tokens");
    own.flag("--recompute", llama.recompute, "recomputes each block in backward, to save memory");
    text.add_to(own);
  }
};

void train(Run& run, const Options& options) {
  train_text(run, options.text, [&](std::int64_t vocabulary) {
    LlamaConfig config = options.llama;
    config.vocabulary = vocabulary;
    return std::make_unique<Llama>(config);
  });
}

}  // namespace

}  // namespace temper::models

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  Options options;
  return run_program(
      text_program("llama", "Trains a Llama on a text, by default on the King James Bible."), argc, argv,
      [&](OwnOptions& own) { options.add_to(own); }, [&](Run& run) { train(run, options); });
}
