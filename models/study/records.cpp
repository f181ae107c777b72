#include "models/study/records.hpp"

#include <cstdlib>
#include <fstream>

#include <temper/core/errors.hpp>
#include <temper/train/print.hpp>

namespace temper::study {

Records::Records(std::string file, bool anew, double minutes) : file_(std::move(file)) {
  const std::chrono::duration<double, std::ratio<60>> length(minutes);
  end_ = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(length);
  if (anew) {
    if (!std::ofstream(file_, std::ios::trunc)) throw FileError(file_ + ": cannot be written");
    return;
  }
  std::ifstream in(file_);
  for (std::string line; std::getline(in, line);) {
    if (in.eof()) break;  // a line without its end, which was being written when the program was killed
    const std::size_t colon = line.find(';');
    if (colon == std::string::npos) throw ValueError(formatted("{}: '{}' is no record", file_, line));
    Figures figures;
    const char* at = line.c_str() + colon;
    while (*at == ';') {
      char* end = nullptr;
      figures.push_back(std::strtod(at + 1, &end));
      if (end == at + 1) throw ValueError(formatted("{}: '{}' is no record", file_, line));
      at = end;
    }
    kept_[line.substr(0, colon)] = figures;
  }
}

std::optional<Records::Figures> Records::get(const std::string& key, const std::function<Figures()>& make) {
  if (const auto found = kept_.find(key); found != kept_.end()) return found->second;
  if (std::chrono::steady_clock::now() >= end_) {
    ++missing_;
    return std::nullopt;
  }
  Figures figures = make();
  std::string line = key;
  for (const double figure : figures) line += formatted(";{}", figure);
  // A line that a killed program left without its end must not run into this one; such a line is read as none.
  std::ofstream out(file_, std::ios::app);
  if (!(out << line << '\n').flush()) throw FileError(file_ + ": cannot be written");
  kept_[key] = figures;
  return figures;
}

}  // namespace temper::study
