#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <temper/data/split.hpp>

namespace temper::data {

struct WordNetOptions {
  std::filesystem::path path = {};  ///< the folder of its files; by default the usual places are searched
  double held_out = 0.1;            ///< share of the glosses that are Split::test
  std::uint64_t seed = 1;           ///< decides which
};

/// The glosses of WordNet (definition and examples, without the word itself), each with the lexicographer's file it is
/// from: 117,659 texts of 45 classes in WordNet 3.0. Tokenized makes a data set of them.
///
/// Searched are, unless options.path is set, $TEMPER_DATA (and wordnet below it), /usr/share/wordnet,
/// /usr/share/datasets/wordnet, /usr/local/share/datasets/wordnet and ./data/wordnet.
/// Source: Fellbaum (ed.), "WordNet: an electronic lexical database" (1998); the format is the manual page wndb(5WN).
class WordNet {
 public:
  /// Throws: FileError when it is not found (with every path tried and the command that installs it) or damaged;
  /// ValueError for a share outside 0 to 1.
  explicit WordNet(Split split, const WordNetOptions& options = {});

  std::int64_t size() const { return static_cast<std::int64_t>(texts_.size()); }
  const std::vector<std::string>& texts() const { return texts_; }
  const std::vector<std::int64_t>& labels() const { return labels_; }

  static constexpr std::array<std::string_view, 45> class_names = {
      "adj.all",          "adj.pert",           "adv.all",
      "noun.Tops",        "noun.act",           "noun.animal",
      "noun.artifact",    "noun.attribute",     "noun.body",
      "noun.cognition",   "noun.communication", "noun.event",
      "noun.feeling",     "noun.food",          "noun.group",
      "noun.location",    "noun.motive",        "noun.object",
      "noun.person",      "noun.phenomenon",    "noun.plant",
      "noun.possession",  "noun.process",       "noun.quantity",
      "noun.relation",    "noun.shape",         "noun.state",
      "noun.substance",   "noun.time",          "verb.body",
      "verb.change",      "verb.cognition",     "verb.communication",
      "verb.competition", "verb.consumption",   "verb.contact",
      "verb.creation",    "verb.emotion",       "verb.motion",
      "verb.perception",  "verb.possession",    "verb.social",
      "verb.stative",     "verb.weather",       "adj.ppl"};

 private:
  std::vector<std::string> texts_;
  std::vector<std::int64_t> labels_;
};

}  // namespace temper::data
