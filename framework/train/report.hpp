#pragma once

#include <string>
#include <vector>

namespace temper {

/// Writes an HTML page about a training run, or a comparison of several: curves, configuration, model, samples. The
/// page is self-contained. `folders` are folders of runs, each with a metrics.jsonl or config.toml and perhaps
/// model.txt and samples.json; `file` is replaced as a whole. Lines that a killed run left incomplete are skipped, and
/// the page says so. Throws: ValueError without folders, FileError when one of them is not the folder of a run, or the
/// page cannot be written.
void write_report(const std::vector<std::string>& folders, const std::string& file);

}  // namespace temper
