#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper::data::subword {

/// What stands between matches, and the matches.
struct Match {
  std::size_t begin, end;
  bool found;
};

/// The regular expressions that tokenizers split text by: characters, classes with \p{..}, \s, \d and \w, groups,
/// alternatives, greedy and possessive repetition, looking ahead, case ignored within (?i:...). The first alternative
/// that matches counts, as in Perl. An expression that may match the empty text, and whatever else there is in regular
/// expressions, is refused by name.
class Pattern {
 public:
  /// Throws: FileError.
  explicit Pattern(std::string_view expression);
  /// Matches this text. Throws: FileError for an empty one.
  static Pattern literal(std::string_view text);

  /// Cuts a text, which must be UTF-8, into matches and what is between them. Throws: ValueError when that takes
  /// too many steps.
  void find_all(std::string_view text, std::vector<Match>& out) const;

 private:
  friend class PatternParser;

  /// A set of characters.
  struct Set {
    void add(char32_t first, char32_t last);
    bool contains(char32_t code) const;

    std::array<std::uint64_t, 2> ascii{};
    std::uint32_t categories = 0;
    std::vector<std::pair<char32_t, char32_t>> ranges;
    bool negated = false;
  };

  enum class Op : std::uint8_t { set, repeat, split, jump, look, accept };
  /// Jumps are relative, so that pieces of code can be put together.
  struct Instruction {
    Op op;
    bool flag = false;          // repeat: possessive; look: what follows must not match
    std::uint32_t set = 0;      // of sets_
    std::int32_t x = 0, y = 0;  // split: first and second way; jump, look: where to go on
    std::uint32_t min = 1, max = 1;
  };
  /// Characters with which a match may begin.
  struct First {
    std::array<std::uint64_t, 2> ascii{};
    bool others = false;
  };
  struct Alternative {
    First first;
    std::size_t begin;  // of code_
  };
  /// A way not tried yet: where to go on, at a place that may still shrink to `low`.
  struct Choice {
    std::size_t code, place, low;
  };
  struct Run {
    std::string_view text;
    std::vector<Choice> choices;
    std::uint64_t steps;
  };

  Pattern() = default;
  bool run(std::size_t code, std::size_t place, Run& run, std::size_t& end) const;

  std::vector<Set> sets_;
  std::vector<Instruction> code_;
  std::vector<Alternative> alternatives_;
};

}  // namespace temper::data::subword
