#pragma once

#include <string>
#include <vector>

namespace temper {

/// The differences of two configurations in options that affect the training, each as "\n  --lr was 1e-3, now 0.1";
/// empty when there are none. `own_free` are a program's own options that may change.
/// Throws: FileError for a text that is no TOML.
std::string config_changes(const std::string& was, const std::string& is, const std::vector<std::string>& own_free);

}  // namespace temper
