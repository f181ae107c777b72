#include "framework/data/subword/pattern_internal.hpp"

#include <algorithm>

#include "framework/core/format_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"

namespace temper::data::subword {

namespace {

constexpr std::size_t most_choices = 1 << 20;

}  // namespace

void Pattern::Set::add(char32_t first, char32_t last) {
  for (char32_t c = first; c <= last && c < 128; ++c) ascii[c / 64] |= std::uint64_t{1} << (c % 64);
  if (last >= 128) ranges.emplace_back(std::max<char32_t>(first, 128), last);
}

bool Pattern::Set::contains(char32_t code) const {
  if (code < 128) return (ascii[code / 64] >> (code % 64) & 1) != 0;
  const auto within = [&](const auto& range) { return code >= range.first && code <= range.second; };
  const bool found = (categories != 0 && (categories & category_bit(code)) != 0) || std::ranges::any_of(ranges, within);
  return found != negated;
}

bool Pattern::run(std::size_t code, std::size_t place, Run& run, std::size_t& end) const {
  const std::string_view text = run.text;
  const std::size_t base = run.choices.size();
  const auto step = [&](std::uint64_t count) {
    if (run.steps < count) {
      fail<ValueError>("tokenizer: its regular expression takes too many steps on a text of {} bytes", text.size());
    }
    run.steps -= count;
  };
  for (;;) {
    const Instruction& now = code_[code];
    bool good = true;
    step(1);
    switch (now.op) {
      case Op::set: {
        good = place < text.size();
        if (!good) break;
        const auto [character, bytes] = character_at(text, place);
        good = sets_[now.set].contains(character);
        place += bytes;
        ++code;
        break;
      }
      case Op::repeat: {
        std::uint32_t count = 0;
        std::size_t low = place;
        const std::size_t begin = place;
        const Set& set = sets_[now.set];
        while (count < now.max && place < text.size()) {
          const auto [character, bytes] = character_at(text, place);
          if (!set.contains(character)) break;
          place += bytes;
          if (++count == now.min) low = place;
        }
        step(place - begin);
        good = count >= now.min;
        ++code;
        if (good && !now.flag && count > now.min) run.choices.push_back({code, place, low});
        break;
      }
      case Op::split:
        if (run.choices.size() > most_choices) step(run.steps + 1);
        run.choices.push_back({code + static_cast<std::size_t>(now.y), place, place});
        code += static_cast<std::size_t>(now.x);
        break;
      case Op::jump: code += static_cast<std::size_t>(now.x); break;
      case Op::look: {
        std::size_t ignored = 0;
        good = this->run(code + 1, place, run, ignored) != now.flag;
        code += static_cast<std::size_t>(now.x);
        break;
      }
      case Op::accept:
        end = place;
        run.choices.resize(base);
        return true;
    }
    if (good) continue;
    if (run.choices.size() == base) return false;
    Choice& last = run.choices.back();
    if (last.place > last.low) last.place = begin_of_character(text, last.place);
    code = last.code;
    place = last.place;
    if (last.place <= last.low) run.choices.pop_back();
  }
}

void Pattern::find_all(std::string_view text, std::vector<Match>& out) const {
  out.clear();
  Run now{text, {}, 10'000 + 1'000 * std::uint64_t{text.size()}};
  std::size_t unmatched = 0, place = 0;
  while (place < text.size()) {
    const auto lead = static_cast<unsigned char>(text[place]);
    std::size_t end = 0;
    const bool found = std::ranges::any_of(alternatives_, [&](const Alternative& alternative) {
      const First& first = alternative.first;
      const bool may = lead < 128 ? (first.ascii[lead / 64] >> (lead % 64) & 1) != 0 : first.others;
      return may && run(alternative.begin, place, now, end);
    });
    if (!found) {
      place += character_at(text, place).bytes;
      continue;
    }
    if (unmatched < place) out.push_back({unmatched, place, false});
    out.push_back({place, end, true});
    unmatched = place = end;
  }
  if (unmatched < text.size()) out.push_back({unmatched, text.size(), false});
}

}  // namespace temper::data::subword
