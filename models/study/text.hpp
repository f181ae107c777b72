#pragma once

#include <string>
#include <string_view>

#include <temper/train/print.hpp>

namespace temper::study {

/// What print() would print.
template <class... Args>
std::string format(std::string_view text, const Args&... args) {
  return detail::format_erased(text, {detail::PrintArgument(args)...});
}

}  // namespace temper::study
