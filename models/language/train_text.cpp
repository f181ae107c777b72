#include <temper/models/language/train_text.hpp>

#include <algorithm>
#include <utility>
#include <vector>

#include <temper/run/vocabulary.hpp>

namespace temper::models {

namespace {

/// The text of a file, or the King James Bible. The last tenth is held out; of the Bible, the last tenth of every book.
data::SplitText read(const std::string& file) {
  if (!file.empty()) return data::split_text(data::read_text(file));
  const data::KingJamesBible bible;
  return {bible.text(data::Split::train), bible.text(data::Split::test)};
}

/// A tokenizer for all characters of the text, or a SentencePiece trained on the training text. A resumed run uses the
/// one in its folder.
std::unique_ptr<data::Tokenizer> make_tokenizer(Run& run, const TextOptions& options, const data::SplitText& text) {
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

/// The tokens of the prompt. If the text lacks characters of the default prompt, the beginning of the text replaces it.
/// Throws: ValueError if it lacks characters of a prompt that was given.
std::vector<std::int64_t> encode_prompt(TextOptions& options, const data::Tokenizer& tokenizer,
                                        const data::SplitText& text) {
  try {
    return tokenizer.encode(options.prompt);
  } catch (const ValueError& error) {
    if (options.prompt != TextOptions().prompt) throw ValueError(std::string("--sample: ") + error.what());
  }
  // The first tokens of the first line that is not empty.
  const auto lines = data::lines(text.train);
  const auto line = std::ranges::find_if(lines, [](const std::string& each) { return !each.empty(); });
  std::vector<std::int64_t> ids = tokenizer.encode(line == lines.end() ? text.train : *line);
  ids.resize(std::min<std::size_t>(ids.size(), 20));
  options.prompt = tokenizer.decode(ids);
  return ids;
}

/// The sum of the losses of all targets, in nats.
template <class Loader>
double total_loss(const LanguageModel& model, Loader& loader) {
  const NoTape unrecorded;
  double total = 0;
  for (const auto& [tokens, targets] : loader) {
    total += cross_entropy(model(tokens), targets, {.reduction = Reduction::sum}).item();
  }
  return total;
}

/// The first `count` code points of a text; all for 0.
std::string beginning(const std::string& text, std::int64_t count) {
  if (count < 0) throw ValueError("--held-out: " + std::to_string(count) + ", expected 0 or more");
  if (count == 0) return text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xC0) != 0x80 && count-- == 0) return text.substr(0, i);
  }
  return text;
}

/// The number of code points: of UTF-8 bytes that are not continuation bytes.
double characters(const std::string& text) {
  return static_cast<double>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

void TextOptions::add_to(OwnOptions& own) {
  own.choice("--tokenizer", tokenizer, {"char", "sentencepiece"}, "what a token is");
  own.add("--pieces", pieces, "vocabulary size of sentencepiece");
  own.add("--held-out", held_out, "characters of the held-out text to evaluate on; 0: all");
  own.add("--sample", prompt, "prompt that the trained model continues");
  own.add("--sample-length", length, "tokens to generate");
  own.add("--temperature", sample.temperature, "divides the logits; 0 takes the most likely token");
  own.add("--top-k", sample.top_k, "sample from the k most likely tokens; 0: from all");
  own.add("--top-p", sample.top_p, "sample from the most likely tokens that together have this probability");
}

Program text_program(std::string name, std::string description) {
  Program program{.name = std::move(name), .description = std::move(description)};
  program.defaults = {.steps = 1200,
                      .batch_size = 16,
                      .optimizer = "muon",
                      .lr = "1e-2",
                      .warmup = "5%",
                      .weight_decay = 0.1,
                      .momentum = 0.95,
                      .eval_every = 300};
  program.free = {"--sample", "--sample-length", "--temperature", "--top-k", "--top-p"};
  return program;
}

void train_text(Run& run, TextOptions options,
                const std::function<std::unique_ptr<LanguageModel>(std::int64_t)>& make) {
  data::SplitText text = read(run.options().data);
  const auto tokenizer = make_tokenizer(run, options, text);
  text.test = beginning(text.test, options.held_out);
  // Before training, so that a prompt that cannot be encoded is reported at once.
  std::vector<std::int64_t> ids = encode_prompt(options, *tokenizer, text);
  const std::unique_ptr<LanguageModel> made = make(tokenizer->vocab_size());
  const LanguageModel& model = *made;
  const std::int64_t context = model.context();

  data::Loader train(data::TextDataset(tokenizer->encode(text.train), {.length = context}), run.loader_options());
  // Windows overlap by half: the first half of each is only context for the second, which is scored.
  data::Loader test(
      data::TextEvaluation(tokenizer->encode(text.test), {.length = context, .stride = (context + 1) / 2}),
      {.batch_size = 32});
  run.measure({.unit = "tokens", .per_example = context});
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

}  // namespace temper::models
