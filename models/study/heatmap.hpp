#pragma once

#include <string>
#include <vector>

namespace temper::study {

/// Values over two axes, for a picture.
struct HeatMap {
  std::string title;
  std::vector<std::string> columns, rows;  ///< labels
  std::vector<double> values;              ///< row by row; NaN where there is none
  std::vector<bool> marked{};              ///< cells with a frame; empty: none
};

/// Several maps in one picture, four beside each other, with one scale of colours from `low` to `high`.
struct HeatMaps {
  std::string title, columns, rows;  ///< what the axes are
  double low, high;
  int digits = 2;  ///< after the point, of the numbers in the cells
  std::vector<HeatMap> maps{};
};
std::string svg(const HeatMaps& picture);

}  // namespace temper::study
