#include "models/study/heatmap.hpp"

#include <algorithm>
#include <cmath>

#include <temper/train/print.hpp>

namespace temper::study {

namespace {

constexpr int cell_width = 44, cell_height = 20, left = 62, top = 30, gap = 24, maps_in_a_row = 4;

/// From dark blue over white to dark red; grey for NaN.
std::string colour(double value, double low, double high) {
  if (std::isnan(value)) return "#bbbbbb";
  const double x = std::clamp((value - low) / (high - low), 0.0, 1.0);
  const double red = x < 0.5 ? 2.0 * x : 1.0, blue = x < 0.5 ? 1.0 : 2.0 - 2.0 * x, green = std::min(red, blue);
  const auto byte = [](double share) { return static_cast<int>(std::lround(60.0 + 195.0 * share)); };
  return formatted("#{:02x}{:02x}{:02x}", byte(red), byte(green), byte(blue));
}

std::string text(int x, int y, const char* anchor, const std::string& words) {
  return formatted("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, words);
}

std::string map_svg(const HeatMap& map, const HeatMaps& picture, int x0, int y0) {
  std::string result = text(x0 + left, y0 + 12, "start", map.title);
  for (std::size_t j = 0; j < map.columns.size(); ++j) {
    result +=
        text(x0 + left + static_cast<int>(j) * cell_width + cell_width / 2, y0 + top - 4, "middle", map.columns[j]);
  }
  for (std::size_t i = 0; i < map.rows.size(); ++i) {
    const int y = y0 + top + static_cast<int>(i) * cell_height;
    result += text(x0 + left - 4, y + 14, "end", map.rows[i]);
    for (std::size_t j = 0; j < map.columns.size(); ++j) {
      const std::size_t at = i * map.columns.size() + j;
      const double value = map.values[at];
      const int x = x0 + left + static_cast<int>(j) * cell_width;
      const bool marked = !map.marked.empty() && map.marked[at];
      result += formatted("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\" stroke=\"{}\"/>\n", x, y,
                          cell_width - 2, cell_height - 2, colour(value, picture.low, picture.high),
                          marked ? "black" : "none");
      result += text(x + cell_width / 2, y + 14, "middle",
                     std::isnan(value) ? "-" : formatted("{:.{}f}", value, picture.digits));
    }
  }
  return result;
}

}  // namespace

std::string svg(const HeatMaps& picture) {
  const auto count = static_cast<int>(picture.maps.size());
  int width = 0, height = 0;
  for (const HeatMap& map : picture.maps) {
    width = std::max(width, left + static_cast<int>(map.columns.size()) * cell_width + gap);
    height = std::max(height, top + static_cast<int>(map.rows.size()) * cell_height + gap);
  }
  const int across = std::min(count, maps_in_a_row), down = (count + maps_in_a_row - 1) / maps_in_a_row, head = 24;
  std::string result = formatted(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" "
      "font-size=\"11\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      across * width, head + down * height);
  result += text(4, 16, "start", formatted("{} Across: {}; down: {}.", picture.title, picture.columns, picture.rows));
  for (int i = 0; i < count; ++i) {
    result += map_svg(picture.maps[static_cast<std::size_t>(i)], picture, i % maps_in_a_row * width,
                      head + i / maps_in_a_row * height);
  }
  return result + "</svg>\n";
}

}  // namespace temper::study
