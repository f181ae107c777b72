#include <temper/train/print.hpp>

#include <fmt/args.h>

#include <cstdio>

#include "framework/core/format_internal.hpp"
#include "framework/train/terminal_internal.hpp"

namespace temper::detail {

std::string format_erased(std::string_view text, std::initializer_list<PrintArgument> arguments) {
  fmt::dynamic_format_arg_store<fmt::format_context> store;
  for (const PrintArgument& argument : arguments) {
    std::visit([&](const auto& value) { store.push_back(value); }, argument.value());
  }
  try {
    return fmt::vformat(text, store);
  } catch (const fmt::format_error& error) {
    fail<ValueError>("print: \"{}\" with {} arguments: {}", text, arguments.size(), error.what());
  }
}

void print_line(std::string_view line) {
  terminal::clear_bar();
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

}  // namespace temper::detail
