#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <temper/models/gpt/generate.hpp>
#include <temper/run/program.hpp>
#include <temper/run/vocabulary.hpp>

namespace temper::models {

namespace {

/// What this program can be told beside the options all programs share.
struct Options {
  GptConfig gpt = {.context = 256, .layers = 4, .heads = 3, .width = 192, .init_deviation = 0.05};
  std::string tokenizer = "char";
  std::int64_t pieces = 2000;
  std::string prompt = "And it came to pass";
  std::int64_t length = 600;
  SampleOptions sample = {.temperature = 0.7, .top_p = 0.9};

  void add_to(OwnOptions& own) {
    own.choice("--tokenizer", tokenizer, {"char", "sentencepiece"}, "what a token is");
    own.add("--pieces", pieces, "vocabulary of sentencepiece");
    own.add("--layers", gpt.layers, "blocks");
    own.add("--heads", gpt.heads, "attention heads of a block");
    own.add("--width", gpt.width, "features of a token");
    own.add("--context", gpt.context, "tokens the model sees at once");
    own.add("--dropout", gpt.dropout, "share of the features dropped in training");
    own.flag("--recompute", gpt.recompute, "computes each block a second time for its gradients, to save memory");
    own.add("--sample", prompt, "the beginning of the text that the trained model goes on with");
    own.add("--sample-length", length, "tokens of that text");
    own.add("--temperature", sample.temperature, "below 1 the likely tokens get likelier; 0 takes the likeliest");
    own.add("--top-k", sample.top_k, "draw from the k likeliest tokens; 0: from all");
    own.add("--top-p", sample.top_p, "draw from the likeliest tokens that together have this probability");
  }
};

/// A file, or the King James Bible. Held out is the last tenth, of the Bible that of every book.
data::SplitText read(const std::string& file) {
  if (!file.empty()) return data::split_text(data::read_text(file));
  const data::KingJamesBible bible;
  return {bible.text(data::Split::train), bible.text(data::Split::test)};
}

/// Characters are those of the whole text; pieces are chosen by what is trained on. A run that goes on keeps its own.
std::unique_ptr<data::Tokenizer> make_tokenizer(Run& run, const Options& options, const data::SplitText& text) {
  if (options.tokenizer == "sentencepiece") {
    return std::make_unique<data::SentencePiece>(
        vocabulary(run, data::lines(text.train), {.vocab_size = options.pieces}));
  }
  const std::string file = run.kept("tokenizer");
  if (!file.empty()) return std::make_unique<data::CharTokenizer>(data::CharTokenizer::load(file));
  auto characters = std::make_unique<data::CharTokenizer>(text.train + text.test);
  run.keep("tokenizer", [copy = *characters](const std::string& path) { save(path, copy); });
  return characters;
}

/// The tokens of the prompt. One that was not asked for gives way to the text's own beginning where it cannot be said
/// in the characters of the text.
std::vector<std::int64_t> encode_prompt(Options& options, const data::Tokenizer& tokenizer,
                                        const data::SplitText& text) {
  try {
    return tokenizer.encode(options.prompt);
  } catch (const ValueError& error) {
    if (options.prompt != Options().prompt) throw ValueError(std::string("--sample: ") + error.what());
  }
  // Some tokens of the first line that has any.
  const auto lines = data::lines(text.train);
  const auto line = std::ranges::find_if(lines, [](const std::string& each) { return !each.empty(); });
  std::vector<std::int64_t> ids = tokenizer.encode(line == lines.end() ? text.train : *line);
  ids.resize(std::min<std::size_t>(ids.size(), 20));
  options.prompt = tokenizer.decode(ids);
  return ids;
}

/// The loss of all that is scored, in nats.
template <class Loader>
double total_loss(const Gpt& model, Loader& loader) {
  const NoTape unrecorded;
  double total = 0;
  for (const auto& [tokens, targets] : loader) {
    total += cross_entropy(model(tokens), targets, {.reduction = Reduction::sum}).item();
  }
  return total;
}

/// In UTF-8 the bytes that do not go on with a character begin one.
double characters(const std::string& text) {
  return static_cast<double>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

void train(Run& run, Options options) {
  const data::SplitText text = read(run.options().data);
  const auto tokenizer = make_tokenizer(run, options, text);
  std::vector<std::int64_t> ids = encode_prompt(options, *tokenizer, text);  // now, not after hours of training
  GptConfig config = options.gpt;
  config.vocabulary = tokenizer->vocab_size();
  const Gpt model(config);

  data::Loader train(data::TextDataset(tokenizer->encode(text.train), {.length = config.context}),
                     run.loader_options());
  // Half of each window is context for the other half.
  data::Loader test(data::TextEvaluation(tokenizer->encode(text.test),
                                         {.length = config.context, .stride = (config.context + 1) / 2}),
                    {.batch_size = 32});
  run.measure({.unit = "tokens", .per_example = config.context});
  const auto optimizer = run.optimizer(model, train.batches());
  run.train(
      model, *optimizer, train,
      [&](const auto& batch) {
        const auto& [tokens, targets] = batch;
        return cross_entropy(model(tokens), targets);
      },
      [&] {
        return Metrics{{"test nats per character", total_loss(model, test) / characters(text.test), Better::smaller}};
      });

  const auto more =
      generate(model, ids, {.tokens = options.length, .sample = options.sample, .seed = run.options().seed});
  ids.insert(ids.end(), more.begin(), more.end());
  run.sample_text(options.prompt, tokenizer->decode(ids));
}

}  // namespace

}  // namespace temper::models

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  Program program{.name = "gpt", .description = "Trains a GPT on a text, by default on the King James Bible."};
  program.defaults = {.steps = 1200,
                      .batch_size = 16,
                      .optimizer = "muon",
                      .lr = "1e-2",
                      .warmup = "5%",
                      .weight_decay = 0.1,
                      .momentum = 0.95,
                      .eval_every = 300};
  program.free = {"--sample", "--sample-length", "--temperature", "--top-k", "--top-p"};
  Options options;
  return run_program(
      program, argc, argv, [&](OwnOptions& own) { options.add_to(own); }, [&](Run& run) { train(run, options); });
}
