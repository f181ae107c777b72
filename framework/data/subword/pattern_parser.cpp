#include <algorithm>
#include <optional>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/subword/pattern_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"

namespace temper::data::subword {

namespace {

constexpr char32_t last_code = 0x10ffff;
constexpr std::size_t most_instructions = 20'000;
constexpr int deepest = 32;
constexpr std::uint32_t endless = 0xffffffff;

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

/// Turns the text of an expression into a Pattern's code.
class PatternParser {
 public:
  PatternParser(std::string_view expression, Pattern& pattern) : text_(expression), pattern_(pattern) {}

  void parse() {
    for (bool more = true; more; more = accept('|')) add(sequence());
    if (place_ < text_.size()) wrong("a ) without a (");
  }

  void literal() {
    Part part;
    while (place_ < text_.size()) {
      Set set;
      const char32_t c = next();
      set.add(c, c);
      append(part, one(std::move(set)));
    }
    add(std::move(part));
  }

 private:
  using Set = Pattern::Set;
  using Op = Pattern::Op;
  using Instruction = Pattern::Instruction;
  using First = Pattern::First;

  /// Code with what is known of it.
  struct Part {
    std::vector<Instruction> code;
    First first;
    bool may_be_empty = true;
  };

  [[noreturn]] void refuse(std::string_view what) const {
    fail<FileError>("regular expression '{}': {} is not supported", temper::detail::printable(text_), what);
  }
  [[noreturn]] void wrong(std::string_view what) const {
    fail<FileError>("regular expression '{}': {}", temper::detail::printable(text_), what);
  }

  // Characters of the expression.

  bool peek(char c) const { return place_ < text_.size() && text_[place_] == c; }
  bool accept(std::string_view text) {
    if (!text_.substr(place_).starts_with(text)) return false;
    place_ += text.size();
    return true;
  }
  bool accept(char c) { return accept(std::string_view(&c, 1)); }
  char32_t next() {
    if (place_ >= text_.size()) wrong("it ends too early");
    const auto [code, bytes] = character_at(text_, place_);
    place_ += bytes;
    return code;
  }

  // Code.

  static void unite(First& to, const First& from) {
    to.ascii[0] |= from.ascii[0];
    to.ascii[1] |= from.ascii[1];
    to.others |= from.others;
  }

  void append(Part& to, const Part& from) {
    if (to.code.size() + from.code.size() > most_instructions) wrong("it is too long");
    if (to.may_be_empty) unite(to.first, from.first);
    to.may_be_empty = to.may_be_empty && from.may_be_empty;
    to.code.insert(to.code.end(), from.code.begin(), from.code.end());
  }

  /// A jump over so many instructions.
  std::int32_t over(std::size_t count) const {
    if (count > most_instructions) wrong("it is too long");
    return static_cast<std::int32_t>(count);
  }

  Part one(Set set) {
    if (pattern_.sets_.size() > most_instructions) wrong("it is too long");
    Part part;
    part.first = {set.ascii, set.categories != 0 || !set.ranges.empty() || set.negated};
    part.may_be_empty = false;
    part.code.push_back({.op = Op::set, .set = static_cast<std::uint32_t>(pattern_.sets_.size())});
    pattern_.sets_.push_back(std::move(set));
    return part;
  }

  void add(Part part) {
    if (part.may_be_empty) wrong("it matches the empty text");
    part.code.push_back({.op = Op::accept});
    if (pattern_.code_.size() + part.code.size() > most_instructions) wrong("it is too long");
    pattern_.alternatives_.push_back({part.first, pattern_.code_.size()});
    pattern_.code_.insert(pattern_.code_.end(), part.code.begin(), part.code.end());
  }

  // The grammar.

  Part alternatives() {
    if (++depth_ > deepest) wrong("its groups are nested too deep");
    Part part = sequence();
    while (accept('|')) {
      Part other = sequence();
      Part both;
      both.code.push_back({.op = Op::split, .x = 1, .y = over(part.code.size() + 2)});
      both.code.insert(both.code.end(), part.code.begin(), part.code.end());
      both.code.push_back({.op = Op::jump, .x = over(other.code.size() + 1)});
      both.code.insert(both.code.end(), other.code.begin(), other.code.end());
      both.first = part.first;
      unite(both.first, other.first);
      both.may_be_empty = part.may_be_empty || other.may_be_empty;
      part = std::move(both);
      over(part.code.size());
    }
    --depth_;
    return part;
  }

  Part sequence() {
    Part part;
    while (place_ < text_.size() && !peek('|') && !peek(')')) append(part, repeated(atom()));
    return part;
  }

  Part atom() {
    if (accept('(')) return group();
    Set set;
    if (accept('[')) {
      characters(set);
    } else if (accept('\\')) {
      if (const auto code = escape(set)) add_character(set, *code);
    } else if (accept('.')) {
      set.add(0, '\n' - 1);
      set.add('\n' + 1, last_code);
    } else {
      for (const char c : std::string_view("*+?{")) {
        if (peek(c)) wrong("nothing to repeat");
      }
      if (peek('^') || peek('$')) refuse("an anchor (^ or $)");
      add_character(set, next());
    }
    return one(std::move(set));
  }

  Part group() {
    bool ahead = false, negated = false;
    const bool before = ignore_case_;
    if (accept("?:")) {
    } else if (accept("?i:")) {
      ignore_case_ = true;
    } else if (accept("?=")) {
      ahead = true;
    } else if (accept("?!")) {
      ahead = negated = true;
    } else if (peek('?')) {
      refuse(fmt::format("this kind of group '({}'", text_.substr(place_, 2)));
    }
    Part part = alternatives();
    if (!accept(')')) wrong("a ( without a )");
    ignore_case_ = before;
    if (!ahead) return part;
    Part look;
    part.code.push_back({.op = Op::accept});
    look.code.push_back({.op = Op::look, .flag = negated, .x = over(part.code.size() + 1)});
    look.code.insert(look.code.end(), part.code.begin(), part.code.end());
    return look;
  }

  std::uint32_t count() {
    std::uint32_t number = 0;
    if (place_ >= text_.size() || !is_digit(static_cast<unsigned char>(text_[place_]))) wrong("a wrong {...}");
    while (place_ < text_.size() && is_digit(static_cast<unsigned char>(text_[place_]))) {
      number = number * 10 + static_cast<std::uint32_t>(next() - '0');
      if (number > 10'000) wrong("a count above 10000");
    }
    return number;
  }

  Part repeated(Part part) {
    std::uint32_t min = 1, max = 1;
    bool braces = false;
    if (accept('?')) {
      min = 0;
    } else if (accept('*')) {
      min = 0;
      max = endless;
    } else if (accept('+')) {
      max = endless;
    } else if (accept('{')) {
      braces = true;
      min = peek(',') ? 0 : count();
      max = !accept(',') ? min : peek('}') ? endless : count();
      if (!accept('}') || max < min) wrong("a wrong {...}");
    } else {
      return part;
    }
    if (peek('?')) refuse("a lazy repetition");
    if (braces && peek('+')) refuse("a repetition of a repetition");
    const bool possessive = accept('+');
    if (peek('*') || peek('{') || peek('+') || peek('?')) refuse("a repetition of a repetition");
    if (part.may_be_empty) refuse("repeating what may be empty");
    if (part.code.size() == 1 && part.code[0].op == Op::set && max > 0) {
      part.code[0].op = Op::repeat;
      part.code[0].flag = possessive;
      part.code[0].min = min;
      part.code[0].max = max;
      part.may_be_empty = min == 0;
      return part;
    }
    if (possessive) refuse("a possessive repetition of a group");
    Part all;
    for (std::uint32_t i = 0; i < min; ++i) append(all, part);
    const std::size_t length = part.code.size();
    Part optional;
    optional.first = part.first;
    if (max == endless) {
      optional.code.push_back({.op = Op::split, .x = 1, .y = over(length + 2)});
      optional.code.insert(optional.code.end(), part.code.begin(), part.code.end());
      optional.code.push_back({.op = Op::jump, .x = -over(length + 1)});
      append(all, optional);
    } else {
      optional.code.push_back({.op = Op::split, .x = 1, .y = over(length + 1)});
      optional.code.insert(optional.code.end(), part.code.begin(), part.code.end());
      for (std::uint32_t i = min; i < max; ++i) append(all, optional);
    }
    return all;
  }

  // Sets.

  void add_character(Set& set, char32_t code) const {
    set.add(code, code);
    if (!ignore_case_ || code >= 128) {
      if (ignore_case_ && (category_bit(code) & (categories("Lu") | categories("Ll") | categories("Lt"))) != 0) {
        refuse("ignoring the case of letters outside ASCII");
      }
      return;
    }
    if (!is_letter(code)) return;
    set.add(code ^ 0x20, code ^ 0x20);
    // Two characters outside ASCII fold to letters within.
    if ((code | 0x20) == 's') set.add(0x17f, 0x17f);
    if ((code | 0x20) == 'k') set.add(0x212a, 0x212a);
  }

  /// Adds all characters of these categories, or all others.
  static void add_categories(Set& set, std::uint32_t bits) {
    set.categories |= bits;
    for (char32_t c = 0; c < 128; ++c) {
      if ((category_bit(c) & bits) != 0) set.add(c, c);
    }
  }

  /// What follows a backslash: one character, or a class, which is added to the set.
  std::optional<char32_t> escape(Set& set) {
    const char32_t c = next();
    switch (c) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'f': return '\f';
      case 'v': return '\v';
      case 's':
        add_categories(set, categories("Z"));
        set.add('\t', '\r');
        set.add(0x85, 0x85);
        return {};
      case 'S':
        add_categories(set, ~(categories("Z") | categories("Cc")));
        set.add(0, '\t' - 1);
        set.add('\r' + 1, 0x1f);
        set.add(0x7f, 0x84);
        set.add(0x86, 0x9f);
        return {};
      case 'd': add_categories(set, categories("Nd")); return {};
      case 'D': add_categories(set, ~categories("Nd")); return {};
      case 'w':
      case 'W': {
        const std::uint32_t word = categories("L") | categories("M") | categories("Nd") | categories("Pc");
        add_categories(set, c == 'w' ? word : ~word);
        return {};
      }
      case 'p':
      case 'P': {
        std::string name(1, static_cast<char>(std::min<char32_t>(next(), 127)));
        if (name == "{") {
          name.clear();
          while (!accept('}')) name += static_cast<char>(std::min<char32_t>(next(), 127));
        }
        const bool negated = (c == 'P') != name.starts_with('^');
        if (name.starts_with('^')) name.erase(0, 1);
        const std::uint32_t bits = categories(name);
        if (bits == 0) refuse("\\p{" + name + "}");
        add_categories(set, negated ? ~bits : bits);
        return {};
      }
      case 'u':
      case 'x': {
        std::uint32_t code = 0;
        const bool braces = accept('{');
        const int digits = braces ? 8 : c == 'u' ? 4 : 2;
        for (int i = 0; i < digits && !(braces && peek('}')); ++i) {
          const char32_t digit = next();
          const std::size_t value = digit < 128 ? std::string_view("0123456789abcdef")
                                                      .find(static_cast<char>(is_letter(digit) ? digit | 0x20 : digit))
                                                : std::string_view::npos;
          if (value == std::string_view::npos) wrong("a wrong number of a character");
          code = code * 16 + static_cast<std::uint32_t>(value);
        }
        if ((braces && !accept('}')) || code > last_code || (code >= 0xd800 && code <= 0xdfff)) {
          wrong("a wrong number of a character");
        }
        return code;
      }
      default:
        if (c >= 128 || is_letter(c) || is_digit(c)) {
          std::string name = "\\";
          subword::append(name, c);
          refuse(name);
        }
        return c;
    }
  }

  /// What stands between [ and ].
  void characters(Set& set) {
    if (++depth_ > deepest) wrong("its classes are nested too deep");
    const bool negated = accept('^');
    bool first = true;
    for (; first || !accept(']'); first = false) {
      if (accept("&&")) refuse("an intersection of classes (&&)");
      if (!first && peek('[')) {
        ++place_;
        Set inner;
        characters(inner);
        if (inner.negated) refuse("a negated class within a class");
        set.ascii[0] |= inner.ascii[0];
        set.ascii[1] |= inner.ascii[1];
        set.categories |= inner.categories;
        set.ranges.insert(set.ranges.end(), inner.ranges.begin(), inner.ranges.end());
        continue;
      }
      if (peek('[')) refuse("a class that begins with [");
      char32_t begin = next();
      if (begin == '\\') {
        const auto code = escape(set);
        if (!code) continue;
        begin = *code;
      }
      const bool range = peek('-') && text_.substr(place_).size() > 1 && text_[place_ + 1] != ']';
      if (!range) {
        add_character(set, begin);
        continue;
      }
      ++place_;
      char32_t end = next();
      if (end == '\\') {
        Set other;
        const auto code = escape(other);
        if (!code) wrong("a range that ends with a class");
        end = *code;
      }
      if (end < begin) wrong("a range that ends before it begins");
      if (ignore_case_ && end >= 128) refuse("ignoring the case of letters outside ASCII");
      if (!ignore_case_) {
        set.add(begin, end);
      } else {
        for (char32_t c = begin; c <= end; ++c) add_character(set, c);
      }
    }
    if (negated) {
      set.ascii = {~set.ascii[0], ~set.ascii[1]};
      set.negated = true;
    }
    --depth_;
  }

  std::string_view text_;
  Pattern& pattern_;
  std::size_t place_ = 0;
  int depth_ = 0;
  bool ignore_case_ = false;
};

Pattern::Pattern(std::string_view expression) { PatternParser(expression, *this).parse(); }

Pattern Pattern::literal(std::string_view text) {
  Pattern pattern;
  PatternParser(text, pattern).literal();
  return pattern;
}

}  // namespace temper::data::subword
