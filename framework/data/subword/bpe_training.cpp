// The merges of byte-pair encoding: again and again the pair that occurs most often, of equal ones that of the smallest
// numbers, as Hugging Face's trainer takes them.

#include <algorithm>
#include <queue>
#include <unordered_map>

#include "framework/data/subword/files_internal.hpp"
#include "framework/data/subword/steps_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"

namespace temper::data::subword {

namespace {

using Number = std::uint32_t;
using Pair = std::uint64_t;  // orders as the two numbers do

Pair pair_of(Number left, Number right) { return Pair{left} << 32 | right; }
Number left_of(Pair pair) { return static_cast<Number>(pair >> 32); }
Number right_of(Pair pair) { return static_cast<Number>(pair); }

struct Word {
  std::vector<Number> symbols;
  std::int64_t count;
};

/// A pair that may be joined, and the words that are known to have it.
struct Candidate {
  Pair pair;
  std::int64_t count;
  std::vector<std::size_t> words;

  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

/// How often each piece occurs, as GPT-2 cuts texts.
std::unordered_map<std::string, std::int64_t> count_pieces(std::span<const std::string> texts) {
  std::unordered_map<std::string, std::int64_t> counts;
  std::vector<Match> pieces;
  for (const std::string& raw : texts) {
    const std::string text = repaired(raw);
    gpt2_pattern().find_all(text, pieces);
    for (const Match& piece : pieces) ++counts[text.substr(piece.begin, piece.end - piece.begin)];
  }
  return counts;
}

/// Joins a pair wherever a word has it. Calls change(pair, -1 or 1) for each pair that goes or comes.
template <class Change>
void join(std::vector<Number>& symbols, Pair pair, Number joined, Change change) {
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
    if (symbols[i] != left_of(pair) || symbols[i + 1] != right_of(pair)) continue;
    if (i > 0) {
      change(pair_of(symbols[i - 1], left_of(pair)), -1);
      change(pair_of(symbols[i - 1], joined), 1);
    }
    symbols[i] = joined;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    if (i + 1 < symbols.size()) {
      change(pair_of(right_of(pair), symbols[i + 1]), -1);
      change(pair_of(joined, symbols[i + 1]), 1);
    }
  }
}

}  // namespace

BpeFile train_bpe(std::span<const std::string> texts, std::int64_t vocab_size, std::int64_t min_frequency,
                  const std::vector<std::string>& special_tokens) {
  BpeFile file;
  file.special_tokens = special_tokens;
  std::unordered_map<std::string, Number> numbers;
  const auto number_of = [&](const std::string& token) {
    const auto [found, is_new] = numbers.try_emplace(token, static_cast<Number>(file.tokens.size()));
    if (is_new) file.tokens.push_back(token);
    return found->second;
  };
  for (const std::string& token : special_tokens) number_of(token);
  std::vector<std::string> alphabet;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    alphabet.push_back(bytes_as_characters({&c, 1}));
  }
  std::vector<std::string> ordered = alphabet;
  std::ranges::sort(ordered);  // UTF-8 sorts by code point
  for (const std::string& character : ordered) number_of(character);

  std::vector<Word> words;
  for (const auto& [text, count] : count_pieces(texts)) {
    words.push_back({{}, count});
    for (const char c : text) words.back().symbols.push_back(number_of(alphabet[static_cast<unsigned char>(c)]));
  }

  std::unordered_map<Pair, std::int64_t> counts;
  std::unordered_map<Pair, std::vector<std::size_t>> places;  // of pairs not in the queue yet
  const auto add = [&](Pair pair, std::int64_t count, std::size_t word) {
    counts[pair] += count;
    if (count < 0) return;
    auto& known = places[pair];
    if (known.empty() || known.back() != word) known.push_back(word);
  };
  std::priority_queue<Candidate> queue;
  const auto fill_queue = [&] {
    for (auto& [pair, known] : places) {
      if (const std::int64_t count = counts[pair]; count > 0) queue.push({pair, count, std::move(known)});
    }
    places.clear();
  };
  for (std::size_t word = 0; word < words.size(); ++word) {
    const auto& symbols = words[word].symbols;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
      add(pair_of(symbols[i], symbols[i + 1]), words[word].count, word);
  }
  fill_queue();

  while (std::ssize(file.tokens) < vocab_size && !queue.empty()) {
    Candidate best = queue.top();
    queue.pop();
    if (best.count != counts[best.pair]) {
      best.count = counts[best.pair];
      queue.push(std::move(best));
      continue;
    }
    if (best.count < std::max<std::int64_t>(min_frequency, 1)) break;
    const Number joined = number_of(file.tokens[left_of(best.pair)] + file.tokens[right_of(best.pair)]);
    const std::pair<Number, Number> merge{left_of(best.pair), right_of(best.pair)};
    // Other pairs may have given a token of the same text before, and brought this pair back: its last place counts.
    if (joined + 1 != file.tokens.size()) std::erase(file.merges, merge);
    file.merges.push_back(merge);
    for (const std::size_t word : best.words) {
      join(words[word].symbols, best.pair, joined,
           [&](Pair pair, std::int64_t sign) { add(pair, sign * words[word].count, word); });
    }
    fill_queue();
  }
  return file;
}

}  // namespace temper::data::subword
