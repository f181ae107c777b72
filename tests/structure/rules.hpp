#pragma once

// The rules of the house that can be read off the sources: who may include whom, and where foreign libraries, OpenMP,
// macros and printing are allowed.

#include <string>
#include <string_view>
#include <vector>

namespace temper::structure {

/// The folder of the house a file belongs to: "core", "optim", "optim/kernels", "models", "umbrella" for temper.hpp, ""
/// for none. `path` is relative to the project's root.
std::string folder_of(std::string_view path);

/// Whether outside programs can include it.
bool is_public(std::string_view path);

/// C++ text without comments; string literals are emptied on request.
std::string without_comments(std::string_view text, bool empty_strings = false);

/// The rules that a file breaks, one sentence each.
std::vector<std::string> violations(std::string_view path, std::string_view text);

/// The lines of an `nm` listing that define a global symbol without `tag` in its name. Such a symbol of a unit compiled
/// for one instruction set could replace its namesake in the whole program, also on a machine without those
/// instructions.
std::vector<std::string> untagged_symbols(std::string_view listing, std::string_view tag);

/// The lines of an `nm` listing that define a function which other units can call. A unit compiled for one instruction
/// set has none: its functions are reached through its table alone, and that is a constant.
std::vector<std::string> callable_functions(std::string_view listing);

/// The lines of a `readelf --section-headers` listing that name code which runs before main().
std::vector<std::string> run_at_start(std::string_view listing);

}  // namespace temper::structure
