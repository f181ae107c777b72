#include <temper/models/word2vec/pairs.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>

#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::models {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto letter = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 128 || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
  };
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    const bool joins = c == '\'' && !word.empty() && i + 1 < text.size() && letter(text[i + 1]);
    if (letter(c) || joins) {
      word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

Words::Words(std::span<const std::string> text, std::int64_t least) {
  std::map<std::string, std::int64_t> counts;
  for (const std::string& word : text) ++counts[word];
  std::vector<std::pair<std::string, std::int64_t>> kept;
  for (const auto& [word, count] : counts) {
    if (count >= least) kept.emplace_back(word, count);
  }
  if (kept.empty()) fail<ValueError>("Words: no word occurs {} times in a text of {} words", least, text.size());
  std::ranges::stable_sort(kept, [](const auto& a, const auto& b) { return a.second > b.second; });
  for (auto& [word, count] : kept) add(std::move(word), count);
}

void Words::add(std::string name, std::int64_t count) {
  numbers_[name] = size();
  names_.push_back(std::move(name));
  counts_.push_back(count);
}

Words Words::load(const std::string& file) {
  std::ifstream in(file);
  if (!in) fail<FileError>("{}: cannot be read", file);
  Words words;
  std::int64_t count = 0;
  for (std::string name; in >> count >> name;) {
    if (count < 1 || words.find(name) >= 0) fail<FileError>("{}: word {} is '{} {}'", file, words.size(), count, name);
    words.add(std::move(name), count);
  }
  if (!in.eof() || words.size() == 0) fail<FileError>("{}: after {} words no line \"count word\"", file, words.size());
  return words;
}

void Words::save(const std::string& file) const {
  std::ofstream out(file);
  for (std::size_t i = 0; i < names_.size(); ++i) out << counts_[i] << ' ' << names_[i] << '\n';
  if (!out.flush()) fail<FileError>("{}: cannot be written", file);
}

std::int64_t Words::find(const std::string& name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? -1 : found->second;
}

std::vector<std::int64_t> Words::encode(std::span<const std::string> text) const {
  std::vector<std::int64_t> numbers;
  numbers.reserve(text.size());
  for (const std::string& word : text) {
    if (const std::int64_t number = find(word); number >= 0) numbers.push_back(number);
  }
  return numbers;
}

struct Pairs::Storage {
  std::vector<std::int64_t> text;
  std::vector<double> kept;    // of each word, the probability that it is not left out
  std::vector<double> up_to;   // of each word, the share of the negative samples that are this or one before it
  std::vector<double> nearer;  // of each distance, the probability of this or a smaller one
  PairOptions options;

  /// The place in a rising list of shares.
  static std::int64_t chosen(const std::vector<double>& shares, double uniform) {
    const auto found = std::ranges::upper_bound(shares, uniform * shares.back());
    return std::min(found - shares.begin(), static_cast<std::ptrdiff_t>(shares.size()) - 1);
  }

  /// Writes the contexts, and returns the word.
  std::int64_t draw(std::int64_t i, const data::Epoch& epoch, std::int64_t* contexts) const {
    const detail::RandomStream stream(~epoch.seed, detail::RandomUse::sample, static_cast<std::uint64_t>(epoch.number),
                                      static_cast<std::uint64_t>(i));
    std::uint64_t next = 0;
    const auto last = static_cast<std::int64_t>(text.size()) - 1;
    std::int64_t at = i, near = i > 0 ? i - 1 : i + 1;
    // Texts of one frequent word could keep nothing: after so many tries anything is taken.
    for (int tries = 0; tries < 100; ++tries) {
      const double sign = stream.uniform(next++), distance = stream.uniform(next++);
      const std::int64_t away = 1 + chosen(nearer, distance), place = sign < 0.5 ? at - away : at + away;
      const auto stays = [&](std::int64_t where) {
        return stream.uniform(next++) < kept[static_cast<std::size_t>(text[static_cast<std::size_t>(where)])];
      };
      if (place >= 0 && place <= last && stays(at) && stays(place)) {
        near = place;
        break;
      }
      at = static_cast<std::int64_t>(stream.below(text.size(), next++));
      near = at > 0 ? at - 1 : at + 1;
    }
    contexts[0] = text[static_cast<std::size_t>(near)];
    for (std::int64_t n = 1; n <= options.negatives; ++n) contexts[n] = chosen(up_to, stream.uniform(next++));
    return text[static_cast<std::size_t>(at)];
  }
};

Pairs::Pairs(std::vector<std::int64_t> text, std::vector<std::int64_t> counts, const PairOptions& options) {
  if (options.window < 1 || options.negatives < 1 || !(options.subsample >= 0.0)) {
    fail<ValueError>("Pairs: window {}, negatives {}, subsample {}, expected at least 1, 1 and 0", options.window,
                     options.negatives, options.subsample);
  }
  if (text.size() < 2) fail<ValueError>("Pairs: a text of {} words, expected at least 2", text.size());
  for (const std::int64_t word : text) {
    if (word < 0 || word >= static_cast<std::int64_t>(counts.size()) || counts[static_cast<std::size_t>(word)] < 1) {
      fail<ValueError>("Pairs: word {} of the text has no count", word);
    }
  }
  auto storage = std::make_shared<Storage>();
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  double samples = 0.0;
  for (const std::int64_t count : counts) {
    const double share = static_cast<double>(count) / total;
    storage->kept.push_back(options.subsample > 0.0 ? std::min(1.0, std::sqrt(options.subsample / share)) : 1.0);
    storage->up_to.push_back(samples += std::pow(static_cast<double>(count), 0.75));
  }
  // A window of each size is as likely: distance d is within window - d + 1 of them.
  double weights = 0.0;
  for (std::int64_t d = 1; d <= options.window; ++d) {
    storage->nearer.push_back(weights += static_cast<double>(options.window - d + 1));
  }
  storage->text = std::move(text);
  storage->options = options;
  storage_ = std::move(storage);
}

std::int64_t Pairs::size() const { return static_cast<std::int64_t>(storage_->text.size()); }

std::array<Tensor, 2> Pairs::get(std::int64_t i, const data::Epoch& epoch) const {
  Tensor word = empty({}, Dtype::i64), contexts = empty({1 + storage_->options.negatives}, Dtype::i64);
  *word.mutable_data<std::int64_t>() = storage_->draw(i, epoch, contexts.mutable_data<std::int64_t>());
  return {word, contexts};
}

std::array<Tensor, 2> Pairs::batch(std::span<const std::int64_t> indices, const data::Epoch& epoch) const {
  const auto count = static_cast<std::int64_t>(indices.size()), width = 1 + storage_->options.negatives;
  Tensor words = empty({count}, Dtype::i64), contexts = empty({count, width}, Dtype::i64);
  for (std::int64_t n = 0; n < count; ++n) {
    words.mutable_data<std::int64_t>()[n] =
        storage_->draw(indices[static_cast<std::size_t>(n)], epoch, contexts.mutable_data<std::int64_t>() + n * width);
  }
  return {words, contexts};
}

}  // namespace temper::models
