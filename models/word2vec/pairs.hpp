#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <temper/data/dataset.hpp>

namespace temper::models {

/// The words of a text: letters, in lower case, and apostrophes between them; bytes outside ASCII count as letters.
std::vector<std::string> words_of(std::string_view text);

/// The words that occur often enough, the most frequent first.
class Words {
 public:
  /// Throws: ValueError when no word occurs `least` times.
  Words(std::span<const std::string> text, std::int64_t least);
  /// As save() wrote it. Throws: FileError.
  static Words load(const std::string& file);
  /// A line "count word" for each.
  void save(const std::string& file) const;

  std::int64_t size() const { return static_cast<std::int64_t>(names_.size()); }
  const std::string& name(std::int64_t word) const { return names_[static_cast<std::size_t>(word)]; }
  /// How often the words occur in the text.
  const std::vector<std::int64_t>& counts() const { return counts_; }
  /// The number of a word, -1 for another.
  std::int64_t find(const std::string& name) const;
  /// The numbers of a text's words; others are left out.
  std::vector<std::int64_t> encode(std::span<const std::string> text) const;

 private:
  Words() = default;
  void add(std::string name, std::int64_t count);

  std::vector<std::string> names_;
  std::vector<std::int64_t> counts_;
  std::unordered_map<std::string, std::int64_t> numbers_;
};

struct PairOptions {
  std::int64_t window = 5;     ///< words before and after that are contexts; nearer ones more often
  std::int64_t negatives = 5;  ///< contexts drawn from all words
  /// A word with a share f of the text is left out with a probability of 1 - sqrt(subsample / f), so that frequent ones
  /// occur less often; 0 keeps all.
  double subsample = 1e-3;
};

/// Pairs of a word and one near it, with negative samples, drawn anew in each epoch. Example i is about the i-th word
/// of the text: {word i64 [], contexts i64 [1 + negatives]}, of which the first is the one near it. The distance to it
/// is drawn as when all words within a window of a random size from 1 to `window` are taken; when the word at i or the
/// one found is left out, another place is tried, drawn from the whole text. Negative samples are drawn with the 3/4th
/// power of the counts. Source: Mikolov et al. (2013), section 2, and the program word2vec.
class Pairs {
 public:
  /// `text` holds numbers of words, `counts` how often each occurs. Throws: ValueError for less than two words of text,
  /// a word without a count, and options below 1, or 0 for the last.
  Pairs(std::vector<std::int64_t> text, std::vector<std::int64_t> counts, const PairOptions& options);

  std::int64_t size() const;
  std::array<Tensor, 2> get(std::int64_t i, const data::Epoch& epoch) const;
  std::array<Tensor, 2> batch(std::span<const std::int64_t> indices, const data::Epoch& epoch) const;

 private:
  struct Storage;
  std::shared_ptr<const Storage> storage_;
};

}  // namespace temper::models
