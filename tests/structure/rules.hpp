#pragma once

// The rules of the project's structure that can be checked in the sources: which folder may include which, and where
// external libraries, OpenMP, intrinsics, macros and printing are allowed.

#include <string>
#include <string_view>
#include <vector>

namespace temper::structure {

/// The folder of a file in these rules: "core", "optim", "optim/kernels", "models", ..., "umbrella" for temper.hpp, ""
/// for none. `path` is relative to the project's root.
std::string folder_of(std::string_view path);

/// Whether other programs can include the file.
bool is_public(std::string_view path);

/// C++ code without comments; on request, string literals are emptied.
std::string without_comments(std::string_view text, bool empty_strings = false);

/// The rules that a file violates, as sentences.
std::vector<std::string> violations(std::string_view path, std::string_view text);

/// The lines of an `nm` listing that define a global symbol without `tag` in its name. If an object compiled for one
/// instruction set defines such a symbol, the linker may use it in the whole program, also on CPUs without these
/// instructions.
std::vector<std::string> untagged_symbols(std::string_view listing, std::string_view tag);

/// The lines of an `nm` listing that define a function which other files can call. Objects compiled for one instruction
/// set must have none: their functions are called through their constant table only.
std::vector<std::string> callable_functions(std::string_view listing);

/// The lines of a `readelf --section-headers` listing that name code which runs before main().
std::vector<std::string> run_at_start(std::string_view listing);

}  // namespace temper::structure
