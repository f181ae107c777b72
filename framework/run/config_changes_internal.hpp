#pragma once

#include <string>
#include <vector>

namespace temper {

/// How two configurations differ in what changes the training, a line "--lr was 1e-3, now 0.1" each, every one after a
/// line's end; empty when they do not. `own_free` are a program's own options that may change.
/// Throws: FileError for a text that is no TOML.
std::string config_changes(const std::string& was, const std::string& is, const std::vector<std::string>& own_free);

}  // namespace temper
