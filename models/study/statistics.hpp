#pragma once

#include <vector>

namespace temper::study {

double mean(const std::vector<double>& values);
/// Sample standard deviation; 0 for fewer than two.
double spread(const std::vector<double>& values);
/// Half the width of the 95% confidence interval of the mean; infinite for fewer than two.
/// Source: Student, "The probable error of a mean" (1908).
double uncertainty(const std::vector<double>& values);

}  // namespace temper::study
