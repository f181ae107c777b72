#include "framework/data/json_depth_internal.hpp"

#include "framework/core/format_internal.hpp"

namespace temper::detail {

void check_json_depth(std::string_view json) {
  constexpr int deepest = 32;
  int depth = 0;
  bool within_text = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (within_text) {
      if (c == '\\') ++i;
      if (c == '"') within_text = false;
    } else if (c == '"') {
      within_text = true;
    } else if (c == '{' || c == '[') {
      if (++depth > deepest) fail<FileError>("JSON nested more than {} deep, at byte {}", deepest, i);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
}

}  // namespace temper::detail
