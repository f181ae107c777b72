#include <temper/train/print.hpp>

#include <fmt/args.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "framework/core/format_internal.hpp"
#include "framework/train/terminal_internal.hpp"

namespace temper::detail {

namespace {

/// Number of arguments that the fields of a format text refer to, nested fields ("{:{}}") included.
std::size_t arguments_needed(std::string_view text) {
  std::size_t next = 0, most = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '{') continue;
    if (text[i + 1] == '{') {
      ++i;
      continue;
    }
    std::size_t number = 0;
    const char* const begin = text.data() + i + 1;
    const bool numbered = std::from_chars(begin, text.data() + text.size(), number).ptr != begin;
    most = std::max(most, numbered ? number + 1 : ++next);
  }
  return most;
}

}  // namespace

std::string format_erased(std::string_view text, std::initializer_list<PrintArgument> arguments) {
  fmt::dynamic_format_arg_store<fmt::format_context> store;
  for (const PrintArgument& argument : arguments) {
    std::visit([&](const auto& value) { store.push_back(value); }, argument.value());
  }
  const std::size_t needed = arguments_needed(text), given = arguments.size();
  if (needed != given) {
    fail<ValueError>("print: \"{}\" has places for {} argument{}, {} {} given", text, needed, needed == 1 ? "" : "s",
                     given, given == 1 ? "was" : "were");
  }
  try {
    return fmt::vformat(text, store);
  } catch (const fmt::format_error& error) {
    fail<ValueError>("print: \"{}\": {}", text, error.what());
  }
}

void print_line(std::string_view line) {
  terminal::clear_bar();
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

}  // namespace temper::detail
