#include "models/study/records.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

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
  std::ostringstream text;
  text << std::ifstream(file_, std::ios::binary).rdbuf();
  // A program that was killed while it wrote left a line without its end, which the next line must not run into.
  const std::string whole = text.str(), lines = whole.substr(0, whole.rfind('\n') + 1);
  if (lines.size() < whole.size()) std::filesystem::resize_file(file_, lines.size());
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(';');
    const auto fail = [&] { throw ValueError(formatted("{}: '{}' is no record", file_, line)); };
    if (colon == std::string::npos) fail();
    Figures figures;
    const char *at = line.data() + colon, *const end = line.data() + line.size();
    while (at != end) {
      double figure = 0.0;
      const auto [next, error] = std::from_chars(at + 1, end, figure);
      if (*at != ';' || error != std::errc()) fail();
      figures.push_back(figure);
      at = next;
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
  std::ofstream out(file_, std::ios::app);
  if (!(out << line << '\n').flush()) throw FileError(file_ + ": cannot be written");
  kept_[key] = figures;
  return figures;
}

}  // namespace temper::study
