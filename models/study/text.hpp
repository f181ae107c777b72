#pragma once

#include <string>
#include <string_view>

#include <temper/train/print.hpp>

namespace temper::study {

/// The text that print() would print, without the line break.
template <class... Args>
std::string formatted(std::string_view text, const Args&... args) {
  return detail::format_erased(text, {detail::PrintArgument(args)...});
}

}  // namespace temper::study
