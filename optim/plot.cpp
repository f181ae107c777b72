#include <temper/optim/plot.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "framework/core/format_internal.hpp"

namespace temper::optim {

namespace {

struct Curve {
  std::string label;
  std::function<double(Step)> at;
};

using Curves = std::vector<Curve>;

/// The smallest and largest value in a column of the plot, which stands for many updates.
struct Extremes {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();

  bool any() const { return least <= most; }
  void add(double value) {
    if (!std::isfinite(value)) return;
    least = std::min(least, value);
    most = std::max(most, value);
  }
};

void check(Step total, const PlotOptions& options) {
  if (total < 1) fail<ValueError>("plot: a run of {} updates, expected at least 1", total);
  if (options.width < 10 || options.height < 3) {
    fail<ValueError>("plot: {} by {}, expected at least 10 by 3", options.width, options.height);
  }
}

Curves curves(const Schedule& schedule) { return {{schedule.text(), schedule}}; }

Curves curves(const Optimizer& optimizer, const std::string& option) {
  Curves result;
  std::set<std::string> known;
  for (std::size_t group = 0; group < optimizer.groups().size(); ++group) {
    const std::string& text = optimizer.schedule(option, group).text();
    if (!known.insert(text).second) continue;
    const std::string& name = optimizer.groups()[group].name;
    result.push_back({fmt::format("{}, {}: {}", option, name.empty() ? fmt::format("group {}", group) : name, text),
                      [&optimizer, option, group](Step k) { return optimizer.value(option, k, group); }});
  }
  return result;
}

/// The extremes over the updates of each of `count` columns, each of at least one update.
std::vector<Extremes> columns(const Curve& curve, Step total, Step count) {
  constexpr Step max_evaluated = Step{1} << 20;
  const Step stride = (total - 1) / max_evaluated + 1;
  std::vector<Extremes> result(static_cast<std::size_t>(count));
  for (Step column = 0; column < count; ++column) {
    const Step begin = std::min(total - 1, column * total / count);
    const Step end = std::max(begin + 1, std::min(total, (column + 1) * total / count));
    for (Step k = begin; k < end; k += stride) result[static_cast<std::size_t>(column)].add(curve.at(k));
  }
  return result;
}

/// The range of the y axis: all values, and 0.
Extremes range(const std::vector<std::vector<Extremes>>& all) {
  Extremes result{0.0, 0.0};
  for (const std::vector<Extremes>& curve : all) {
    for (const Extremes& column : curve) {
      result.add(column.least);
      result.add(column.most);
    }
  }
  if (result.most == result.least) result.most = result.least + 1.0;
  return result;
}

std::string terminal(const Curves& all, Step total, const PlotOptions& options) {
  static constexpr std::string_view marks = "*o+x#%@&";
  const auto width = static_cast<Step>(options.width);
  std::vector<std::vector<Extremes>> drawn;
  for (const Curve& curve : all) drawn.push_back(columns(curve, total, width));
  const auto [low, high] = range(drawn);
  std::vector<std::string> rows(static_cast<std::size_t>(options.height),
                                std::string(static_cast<std::size_t>(width), ' '));
  const auto row_of = [&, low = low, high = high](double value) {
    const double place = (value - low) / (high - low) * (options.height - 1);
    return static_cast<std::size_t>(
        std::clamp(options.height - 1 - static_cast<int>(std::lround(place)), 0, options.height - 1));
  };
  for (std::size_t c = all.size(); c-- > 0;) {
    for (std::size_t column = 0; column < drawn[c].size(); ++column) {
      const Extremes& values = drawn[c][column];
      if (!values.any()) continue;
      for (std::size_t row = row_of(values.most); row <= row_of(values.least); ++row) {
        rows[row][column] = marks[c % marks.size()];
      }
    }
  }
  std::string text;
  for (std::size_t c = 0; c < all.size(); ++c)
    text += fmt::format("{:>10} {}\n", marks[c % marks.size()], all[c].label);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::string label = row == 0                 ? fmt::format("{:.4g}", high)
                              : row + 1 == rows.size() ? fmt::format("{:.4g}", low)
                                                       : "";
    rows[row].erase(rows[row].find_last_not_of(' ') + 1);
    text += fmt::format("{:>10} |{}\n", label, rows[row]);
  }
  text += fmt::format("{:>10} +{:-<{}}\n{:>12}{:>{}}\n", "", "", width, "0", total, width);
  return text;
}

std::string csv(const Curves& all, Step total) {
  std::string text = "k";
  for (std::size_t c = 0; c < all.size(); ++c) {
    // Quoted by RFC 4180, because texts of schedules contain commas and quotes.
    std::string label;
    for (const char character : all[c].label)
      label += character == '"' ? std::string("\"\"") : std::string(1, character);
    text += fmt::format(",\"{}\"", label);
  }
  text += '\n';
  for (Step k = 0; k < total; ++k) {
    text += fmt::format("{}", k);
    for (const Curve& curve : all) text += fmt::format(",{}", curve.at(k));
    text += '\n';
  }
  return text;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char character : text) {
    switch (character) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      default: result += character;
    }
  }
  return result;
}

std::string svg(const Curves& all, Step total, const PlotOptions& options) {
  static constexpr std::string_view colours[] = {"#1f6feb", "#d1480c", "#1a7f37", "#8250df", "#bf3989", "#7d6608"};
  // Short runs are drawn update by update, longer ones by the extremes of each pixel.
  const Step pixels = std::min<Step>(total, options.width * 10);
  std::vector<std::vector<Extremes>> drawn;
  for (const Curve& curve : all) drawn.push_back(columns(curve, total, pixels));
  const auto [low, high] = range(drawn);
  const int width = options.width * 10, height = options.height * 20, left = 80, top = 20;
  const auto legend = static_cast<int>(all.size()) * 18;
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
      "<path d=\"M{} {}V{}H{}\" fill=\"none\" stroke=\"#444\"/>\n",
      width + left + 20, height + top + 40 + legend, left, top, top + height, left + width);
  text += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.4g}</text>\n", left - 6, top + 10, high);
  text += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.4g}</text>\n", left - 6, top + height, low);
  text += fmt::format("<text x=\"{}\" y=\"{}\">0</text>\n", left, top + height + 16);
  text +=
      fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", left + width, top + height + 16, total);
  for (std::size_t c = 0; c < all.size(); ++c) {
    const std::string_view colour = colours[c % std::size(colours)];
    text += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"", colour);
    for (Step pixel = 0; pixel < pixels; ++pixel) {
      const Extremes& values = drawn[c][static_cast<std::size_t>(pixel)];
      if (!values.any()) continue;
      const double x = left + static_cast<double>(pixel * total / pixels) * width / static_cast<double>(total);
      for (const double value : {values.least, values.most}) {
        text += fmt::format("{:.1f},{:.1f} ", x, top + height * (1.0 - (value - low) / (high - low)));
        if (values.least == values.most) break;
      }
    }
    text += fmt::format("\"/>\n<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n", left,
                        top + height + 36 + static_cast<int>(c) * 18, colour, escaped(all[c].label));
  }
  return text + "</svg>\n";
}

}  // namespace

std::string plot(const Schedule& schedule, Step total, const PlotOptions& options) {
  check(total, options);
  return terminal(curves(schedule), total, options);
}
std::string plot(const Optimizer& optimizer, Step total, const std::string& option, const PlotOptions& options) {
  check(total, options);
  return terminal(curves(optimizer, option), total, options);
}

std::string plot_csv(const Schedule& schedule, Step total) {
  check(total, {});
  return csv(curves(schedule), total);
}
std::string plot_csv(const Optimizer& optimizer, Step total, const std::string& option) {
  check(total, {});
  return csv(curves(optimizer, option), total);
}

std::string plot_svg(const Schedule& schedule, Step total, const PlotOptions& options) {
  check(total, options);
  return svg(curves(schedule), total, options);
}
std::string plot_svg(const Optimizer& optimizer, Step total, const std::string& option, const PlotOptions& options) {
  check(total, options);
  return svg(curves(optimizer, option), total, options);
}

}  // namespace temper::optim
