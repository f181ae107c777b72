#pragma once

#include <string_view>

namespace temper::detail {

/// Refuses JSON that is nested so deep that copying or showing it would exhaust the stack; to be called before it is
/// parsed. Throws: FileError.
void check_json_depth(std::string_view json);

}  // namespace temper::detail
