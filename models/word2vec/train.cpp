#include <algorithm>
#include <array>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <temper/models/word2vec/pairs.hpp>
#include <temper/models/word2vec/word2vec.hpp>
#include <temper/run/program.hpp>

namespace temper::models {

namespace {

/// The options that only this program has.
struct Options {
  std::int64_t width = 100, least = 5;
  PairOptions pairs;
  std::string near = "king,bread,mother,seven,hand,moses";
  std::int64_t neighbours = 8;

  void add_to(OwnOptions& own) {
    own.add("--width", width, "numbers of a word's vector");
    own.add("--least", least, "how often a word must occur to have a vector");
    own.add("--window", pairs.window, "words before and after a word that are its contexts");
    own.add("--negatives", pairs.negatives, "contexts that are drawn for each true one");
    own.add("--subsample", pairs.subsample, "words with a larger share of the text are left out at times; 0: never");
    own.add("--near", near, "words whose nearest neighbours are printed, with commas");
    own.add("--neighbours", neighbours, "how many are printed");
  }
};

/// Words of one kind are to have similar vectors. All occur in the King James Bible at least 20 times.
const std::array<std::vector<std::string>, 8> kinds = {{
    {"two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty", "thirty", "forty",
     "fifty"},
    {"father", "mother", "son", "daughter", "brother", "sister", "wife", "husband", "brethren", "children"},
    {"hand", "foot", "eye", "ear", "head", "mouth", "tongue", "lips", "neck", "arm", "fingers"},
    {"ox", "ass", "sheep", "goat", "lamb", "ram", "bullock", "horse", "camels", "lion"},
    {"bread", "wine", "oil", "flour", "meat", "water", "milk", "honey", "corn"},
    {"gold", "silver", "brass", "iron", "stone", "wood"},
    {"egypt", "babylon", "israel", "judah", "moab", "edom", "syria", "assyria", "canaan"},
    {"moses", "aaron", "joshua", "abraham", "isaac", "jacob", "joseph", "david", "solomon", "saul", "samuel", "elijah"},
}};

/// The words of the kinds that have vectors, one kind after the other.
struct Probe {
  std::vector<std::int64_t> words;
  std::vector<std::size_t> kind;

  explicit Probe(const Words& vocabulary) {
    for (std::size_t k = 0; k < kinds.size(); ++k) {
      for (const std::string& name : kinds[k]) {
        if (vocabulary.find(name) < 0) continue;
        words.push_back(vocabulary.find(name));
        kind.push_back(k);
      }
    }
  }

  Tensor ids() const {
    Tensor result = empty({static_cast<std::int64_t>(words.size())}, Dtype::i64);
    std::ranges::copy(words, result.mutable_values<std::int64_t>().begin());
    return result;
  }

  /// The share of the words whose nearest among the others is one of their kind; none for too few words.
  std::optional<double> same_kind(const Tensor& vectors) const {
    if (words.size() < 2 || kind.front() == kind.back()) return std::nullopt;
    const Tensor near = cosines(vectors, ids());
    double right = 0.0;
    for (std::size_t i = 0; i < words.size(); ++i) {
      std::size_t best = i == 0 ? 1 : 0;
      const float* const row = near.data<float>() + i * words.size();
      for (std::size_t j = 0; j < words.size(); ++j) {
        if (j != i && row[j] > row[best]) best = j;
      }
      right += kind[best] == kind[i] ? 1.0 : 0.0;
    }
    return right / static_cast<double>(words.size());
  }

  /// The cosines as an image: white for 1, black for 0 and less, with a line between the kinds.
  Tensor image(const Tensor& vectors) const {
    constexpr std::int64_t side = 6;  // pixels of a word
    const auto n = static_cast<std::int64_t>(words.size());
    const Tensor near = cosines(vectors, ids());
    Tensor pixels = empty({side * n, side * n, 3});
    float* to = pixels.mutable_data<float>();
    for (std::int64_t y = 0; y < side * n; ++y) {
      for (std::int64_t x = 0; x < side * n; ++x, to += 3) {
        const std::int64_t i = y / side, j = x / side;
        const auto begins = [&](std::int64_t place, std::int64_t word) {
          const auto at = static_cast<std::size_t>(word);
          return word > 0 && place % side == 0 && kind[at] != kind[at - 1];
        };
        const float bright = std::clamp(near.data<float>()[i * n + j], 0.0f, 1.0f);
        const bool line = begins(y, i) || begins(x, j);
        for (int c = 0; c < 3; ++c) to[c] = line ? (c == 0 ? 0.8f : 0.2f) : bright;
      }
    }
    return pixels;
  }
};

/// The words of the training and the held-out text.
struct Text {
  std::vector<std::string> train, test;
};

Text read(const std::string& file) {
  if (!file.empty()) {
    const data::SplitText text = data::split_text(data::read_text(file));
    return {words_of(text.train), words_of(text.test)};
  }
  const data::KingJamesBible bible;
  return {words_of(bible.text(data::Split::train)), words_of(bible.text(data::Split::test))};
}

/// The words with vectors. A resumed run uses those in its folder.
Words make_words(Run& run, const Text& text, std::int64_t least) {
  const std::string file = run.kept("words.txt");
  if (!file.empty()) return Words::load(file);
  Words words(text.train, least);
  run.keep("words.txt", [words](const std::string& path) { words.save(path); });
  return words;
}

/// The words of --near, of which those without a vector are left out if they are the default. Throws: ValueError.
std::vector<std::string> asked(const Options& options, const Words& words) {
  std::vector<std::string> result;
  std::istringstream list(options.near);
  for (std::string name; std::getline(list, name, ',');) {
    if (words.find(name) >= 0) {
      result.push_back(name);
    } else if (options.near != Options().near) {
      throw ValueError("--near: there is no vector of '" + name + "'");
    }
  }
  return result;
}

void train(Run& run, const Options& options) {
  const Text text = read(run.options().data);
  const Words words = make_words(run, text, options.least);
  const std::vector<std::string> near = asked(options, words);
  const Probe probe(words);

  const Word2Vec model({.vocabulary = words.size(), .width = options.width});
  data::Loader pairs(Pairs(words.encode(text.train), words.counts(), options.pairs), run.loader_options());
  // The same pairs of held-out text in every evaluation.
  data::Loader test(Pairs(words.encode(text.test), words.counts(), options.pairs), {.batch_size = 4096, .seed = 1});
  run.measure({.unit = "pairs"});
  const auto optimizer = run.optimizer(model, pairs.batches());
  const auto loss = [&](const auto& batch) {
    const auto& [ids, contexts] = batch;
    return negative_sampling_loss(model(ids, contexts));
  };
  run.train(model, *optimizer, pairs, loss, [&] {
    const NoTape unrecorded;
    test.restore({.epoch = 1, .batch = 0, .seed = 1});
    double total = 0.0;
    for (const auto& batch : test) total += loss(batch).item() * static_cast<double>(std::get<0>(batch).size(0));
    Metrics metrics{{"test loss", total / static_cast<double>(test.size()), Better::smaller}};
    if (const auto right = probe.same_kind(model.words.weight))
      metrics.push_back({"neighbours of the same kind", *right});
    return metrics;
  });

  for (const std::string& name : near) {
    std::string list;
    for (const auto& [word, cosine] : nearest(model.words.weight, words.find(name), options.neighbours)) {
      list += (list.empty() ? "" : ", ") + words.name(word);
    }
    run.sample_text("nearest to " + name, list);
  }
  if (probe.same_kind(model.words.weight)) {
    run.sample_image(
        "cosines of words of eight kinds",
        "numbers, family, body, animals, food, materials, countries, people: bright squares on the diagonal "
        "are words of a kind that have similar vectors",
        probe.image(model.words.weight));
  }
}

}  // namespace

}  // namespace temper::models

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  Program program{.name = "word2vec",
                  .description = "Learns vectors of words from a text, by default the King James Bible."};
  program.defaults = {.epochs = 10,
                      .batch_size = 512,
                      .optimizer = "adam",
                      .lr = "5e-3",
                      .warmup = "1%",
                      .decay = "linear",
                      .clip_norm = 0.0};
  program.free = {"--near", "--neighbours"};
  Options options;
  return run_program(
      program, argc, argv, [&](OwnOptions& own) { options.add_to(own); }, [&](Run& run) { train(run, options); });
}
