#pragma once

#include <string>
#include <vector>

namespace temper {

/// Writes one HTML page about a training run, or about several beside each other: curves, configuration, model,
/// samples. It needs nothing but itself to be looked at. `folders` are folders as a run leaves them, with metrics.jsonl
/// or config.toml and, as far as there are any, model.txt and samples.json; `file` is replaced as a whole. What a
/// killed run left half-written is passed over, and the page says so. Throws: ValueError without folders, FileError
/// when one of them is not a run's, or the page cannot be written.
void write_report(const std::vector<std::string>& folders, const std::string& file);

}  // namespace temper
