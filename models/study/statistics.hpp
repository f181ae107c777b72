#pragma once

#include <vector>

namespace temper::study {

double mean(const std::vector<double>& values);
/// Sample standard deviation; 0 for fewer than two values.
double standard_deviation(const std::vector<double>& values);

}  // namespace temper::study
