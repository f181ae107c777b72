#include <algorithm>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <temper/models/bert/batches.hpp>
#include <temper/models/bert/heads.hpp>
#include <temper/models/import/bert.hpp>
#include <temper/models/import/tokenizer.hpp>
#include <temper/nn/lora.hpp>
#include <temper/run/program.hpp>
#include <temper/run/vocabulary.hpp>

using namespace temper;
using namespace temper::models;

namespace {

/// The options that other programs do not have.
struct BertOptions {
  std::string from{};
  std::int64_t lora = 0;
  std::int64_t vocabulary = 8000, layers = 1, heads = 4, width = 256, hidden = 512;
  bool recompute = false;
  double dropout = 0.1, word_dropout = 0.1, smoothing = 0.1, pretrain = 0;
  std::string pretrain_lr = "1e-3";

  void add_to(OwnOptions& own) {
    own.add("--from", from, "folder of Hugging Face's with a BERT to fine-tune: config.json, weights, tokenizer");
    own.add("--lora", lora,
            "rank of adapters of the linear layers of --from, which stays as it is; 0: trains all of it");
    own.add("--vocabulary", vocabulary, "vocabulary size of the tokenizer");
    own.add("--layers", layers, "blocks");
    own.add("--heads", heads, "attention heads of a block");
    own.add("--width", width, "embedding dimension");
    own.add("--hidden", hidden, "hidden features of a block's linear layers");
    own.add("--dropout", dropout, "fraction of the features dropped in training");
    own.flag("--recompute", recompute, "recomputes each block in backward, to save memory");
    own.add("--word-dropout", word_dropout, "fraction of the tokens replaced by [MASK] in training");
    own.add("--label-smoothing", smoothing, "fraction of each label that is spread over all classes");
    own.add("--pretrain", pretrain, "epochs of pretraining on masked words; 0: none");
    own.rate("--pretrain-lr", pretrain_lr, "learning rate of the pretraining; see --lr");
  }
  /// Throws: ValueError for options that exclude each other.
  void check() const {
    if (from.empty() && lora != 0) throw ValueError("--lora: adapts a trained BERT, whose folder --from names");
    const BertOptions unsaid;
    if (!from.empty() && (vocabulary != unsaid.vocabulary || layers != unsaid.layers || heads != unsaid.heads ||
                          width != unsaid.width || hidden != unsaid.hidden)) {
      throw ValueError("--vocabulary, --layers, --heads, --width, --hidden: those of --from are in its folder");
    }
  }
  BertConfig config(const data::Tokenizer& tokenizer) const {
    BertConfig config{.vocabulary = tokenizer.vocab_size(),
                      .positions = longest,
                      .token_types = 1,
                      .layers = layers,
                      .heads = heads,
                      .width = width,
                      .hidden = hidden};
    if (!from.empty()) config = read_bert_config(from);
    if (config.vocabulary < tokenizer.vocab_size()) {
      throw ValueError("--from: the tokenizer has " + std::to_string(tokenizer.vocab_size()) + " tokens, the model " +
                       std::to_string(config.vocabulary));
    }
    config.dropout = dropout;
    config.recompute = recompute;
    return config;
  }

  static constexpr std::int64_t longest = 64;
};

/// The tokenizer of --from, or one that is trained. A resumed run uses the one in its folder.
std::unique_ptr<data::Tokenizer> make_tokenizer(Run& run, const BertOptions& own, std::span<const std::string> texts) {
  if (own.from.empty()) {
    return std::make_unique<data::SentencePiece>(
        vocabulary(run, texts, {.vocab_size = own.vocabulary, .lowercase = true}));
  }
  if (const std::string file = run.kept("tokenizer"); !file.empty()) {
    return std::make_unique<data::SubwordTokenizer>(data::SubwordTokenizer::load(file));
  }
  auto theirs = std::make_unique<data::SubwordTokenizer>(load_tokenizer(own.from));
  run.keep("tokenizer", [copy = *theirs](const std::string& path) { save(path, copy); });
  return theirs;
}

/// Tokenized texts in batches.
TextBatches batches(const data::WordNet& glosses, const data::Tokenizer& tokenizer, std::int64_t longest,
                    const TextBatchesOptions& options) {
  const data::TokenizedOptions lengths{.max_length = longest, .pad_multiple = 4};
  return TextBatches(data::Tokenized(glosses.texts(), glosses.labels(), tokenizer, lengths), tokenizer, options);
}

/// Adds the first glosses that the model misclassifies to the run's report.
template <class Logits>
void sample_mistakes(Run& run, const data::WordNet& glosses, const data::Tokenizer& tokenizer, std::int64_t longest,
                     const Logits& logits) {
  constexpr int max_shown = 8;
  const auto count = std::min<std::size_t>(100, glosses.texts().size());
  const data::Tokenized texts(std::span(glosses.texts()).first(count), std::span(glosses.labels()).first(count),
                              tokenizer, {.max_length = longest});
  std::vector<std::int64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  const Tensor guesses = argmax(logits(texts.batch(numbers)[0]));
  int shown = 0;
  for (std::size_t i = 0; i < count && shown < max_shown; ++i) {
    const std::int64_t guess = guesses.data<std::int64_t>()[i], label = glosses.labels()[i];
    if (guess == label) continue;
    const auto name = [](std::int64_t number) {
      return std::string(data::WordNet::class_names.at(static_cast<std::size_t>(number)));
    };
    run.sample_text(name(label) + ", taken for " + name(guess), glosses.texts()[i]);
    ++shown;
  }
}

void train(Run& run, const BertOptions& own) {
  own.check();
  const std::string& folder = run.options().data;
  const data::WordNet glosses(data::Split::train, {.path = folder}), held_out(data::Split::test, {.path = folder});
  const std::unique_ptr<data::Tokenizer> made = make_tokenizer(run, own, glosses.texts());
  const data::Tokenizer& tokenizer = *made;
  const std::int64_t size = run.options().batch_size;
  const BertConfig config = own.config(tokenizer);
  const std::int64_t longest = std::min(config.positions, BertOptions::longest);
  // Each evaluation makes its own Loader, which starts at epoch 0: with a shared one, a resumed run would see other
  // batches and masks than an uninterrupted one.
  const TextBatches test = batches(held_out, tokenizer, longest, {.batch_size = 256});
  const Tensor pad = indices({tokenizer.pad()});
  const auto inputs = [&](const Tensor& tokens) { return BertInputs{.mask = not_equal(tokens, pad)}; };

  BertForMaskedLM pretrained(config);
  if (!own.from.empty()) load_bert(own.from, pretrained.bert);
  if (own.pretrain > 0) {
    data::Loader masked(MaskedBatches(batches(glosses, tokenizer, longest, {.batch_size = size}), tokenizer),
                        {.shuffle = true, .share = run.loader_options().share});
    const double steps = own.pretrain * static_cast<double>(masked.batches());
    const Phase phase{.name = "pretrain", .steps = std::max<Step>(1, static_cast<Step>(steps)), .lr = own.pretrain_lr};
    const auto optimizer = run.optimizer(pretrained, masked.batches(), phase);
    const auto loss = [&](const auto& batch) {
      const auto& [tokens, positions, targets] = batch;
      return MeanLoss{cross_entropy(pretrained.at(positions, tokens, inputs(tokens)), targets),
                      static_cast<double>(targets.numel())};
    };
    const auto evaluate = [&] {
      const NoTape unrecorded;
      data::Loader masked_test(MaskedBatches(test, tokenizer), {.seed = 1});
      double sum = 0;
      for (const auto& batch : masked_test) sum += loss(batch).mean.item();
      return Metrics{{"masked loss", sum / static_cast<double>(masked_test.batches()), Better::smaller}};
    };
    run.train(pretrained, *optimizer, masked, loss, evaluate, phase);
  }

  BertForClassification model(config, static_cast<std::int64_t>(data::WordNet::class_names.size()), BertPooling::mean);
  model.bert = std::move(pretrained.bert);
  if (own.lora != 0) {
    const auto rank = static_cast<double>(own.lora);
    nn::lora(model.bert, {.rank = own.lora, .alpha = 2 * rank, .targets = "*"});
  }
  const auto logits = [&](const Tensor& tokens) { return model(tokens, inputs(tokens)); };
  data::Loader texts(batches(glosses, tokenizer, longest, {.batch_size = size, .word_dropout = own.word_dropout}),
                     {.shuffle = true, .share = run.loader_options().share});
  const auto optimizer = run.optimizer(model, texts.batches());
  const CrossEntropyOptions smoothed{.label_smoothing = static_cast<float>(own.smoothing)};
  run.train(
      model, *optimizer, texts,
      [&](const auto& batch) {
        const auto& [tokens, labels] = batch;
        return cross_entropy(logits(tokens), labels, smoothed);
      },
      [&] {
        data::Loader texts_held_out(test, {.seed = 1});
        return Metrics{{"test accuracy", accuracy(logits, texts_held_out)}};
      });
  sample_mistakes(run, held_out, tokenizer, longest, logits);
}

}  // namespace

int main(int argc, char** argv) {
  BertOptions own;
  return run_program(
      {.name = "bert",
       .description = "Trains a small BERT, or fine-tunes one, to classify WordNet's glosses into 45 classes.",
       .defaults = {.epochs = 5, .batch_size = 64}},
      argc, argv, [&](OwnOptions& options) { own.add_to(options); }, [&](Run& run) { train(run, own); });
}
