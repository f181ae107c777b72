#include <sstream>

#include "framework/train/report_internal.hpp"
#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) {
  std::istringstream lines{std::string(input.text())};
  for (const auto& series : temper::detail::read_metrics(lines).series) {
    temper::detail::thin(series.points, 8);
    temper::detail::median(series.points);
    temper::detail::tail_mean(series.points);
  }
}
