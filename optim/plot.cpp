#include <temper/optim/plot.hpp>

#include <algorithm>
#include <cmath>

#include "framework/core/format_internal.hpp"

namespace temper::optim {

namespace {

struct Curve {
  std::string label;
  std::vector<double> values;  // at every k, or at every n-th
};

/// A picture looks at so many updates at most: a run of 2e9 has more than the memory holds.
constexpr Step most_samples = Step{1} << 20;
Step stride_of(Step total) { return (total - 1) / most_samples + 1; }

using Curves = std::vector<Curve>;

void check(Step total, const PlotOptions& options) {
  if (total < 1) fail<ValueError>("plot: a run of {} updates, expected at least 1", total);
  if (options.width < 10 || options.height < 3) {
    fail<ValueError>("plot: {} by {}, expected at least 10 by 3", options.width, options.height);
  }
}

Curves curves(const Schedule& schedule, Step total, Step stride) {
  Curve curve{schedule.text(), {}};
  for (Step k = 0; k < total; k += stride) curve.values.push_back(schedule(k));
  return {curve};
}

Curves curves(const Optimizer& optimizer, Step total, const std::string& option, Step stride) {
  Curves result;
  for (std::size_t group = 0; group < optimizer.groups().size(); ++group) {
    Curve curve{"", {}};
    for (Step k = 0; k < total; k += stride) curve.values.push_back(optimizer.value(option, k, group));
    const bool known =
        std::any_of(result.begin(), result.end(), [&](const Curve& c) { return c.values == curve.values; });
    if (known) continue;
    const std::string& name = optimizer.groups()[group].name;
    curve.label = fmt::format("{}, {}: {}", option, name.empty() ? fmt::format("group {}", group) : name,
                              optimizer.schedule(option, group).text());
    result.push_back(std::move(curve));
  }
  return result;
}

struct Range {
  double low, high;
};

/// What is to be seen, from 0 where that costs little.
Range range(const Curves& all) {
  Range result{0.0, 0.0};
  for (const Curve& curve : all) {
    for (const double value : curve.values) {
      if (!std::isfinite(value)) continue;
      result.low = std::min(result.low, value);
      result.high = std::max(result.high, value);
    }
  }
  if (result.high == result.low) result.high = result.low + 1.0;
  return result;
}

std::string terminal(const Curves& all, Step total, const PlotOptions& options) {
  static constexpr std::string_view marks = "*o+x#%@&";
  const auto [low, high] = range(all);
  const auto width = static_cast<Step>(options.width), samples = static_cast<Step>(all.front().values.size());
  std::vector<std::string> rows(static_cast<std::size_t>(options.height),
                                std::string(static_cast<std::size_t>(width), ' '));
  const auto row_of = [&, low = low, high = high](double value) {
    const double place = (value - low) / (high - low) * (options.height - 1);
    return static_cast<std::size_t>(
        std::clamp(options.height - 1 - static_cast<int>(std::lround(place)), 0, options.height - 1));
  };
  for (std::size_t c = all.size(); c-- > 0;) {
    for (Step column = 0; column < width; ++column) {
      // All samples that fall into a column, at least one.
      const Step begin = std::min(samples - 1, column * samples / width);
      const Step end = std::max(begin + 1, std::min(samples, (column + 1) * samples / width));
      const auto first = all[c].values.begin() + begin, last = all[c].values.begin() + end;
      const auto [least, most] = std::minmax_element(first, last);
      if (!std::isfinite(*least) || !std::isfinite(*most)) continue;
      for (std::size_t row = row_of(*most); row <= row_of(*least); ++row) {
        rows[row][static_cast<std::size_t>(column)] = marks[c % marks.size()];
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
    // Quoted as RFC 4180 says: texts hold commas and quotes.
    std::string label;
    for (const char character : all[c].label)
      label += character == '"' ? std::string("\"\"") : std::string(1, character);
    text += fmt::format(",\"{}\"", label);
  }
  text += '\n';
  for (Step k = 0; k < total; ++k) {
    text += fmt::format("{}", k);
    for (const Curve& curve : all) text += fmt::format(",{}", curve.values[static_cast<std::size_t>(k)]);
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
  const auto [low, high] = range(all);
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
  const auto samples = static_cast<Step>(all.front().values.size());
  for (std::size_t c = 0; c < all.size(); ++c) {
    const std::string_view colour = colours[c % std::size(colours)];
    text += fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"", colour);
    // Every step while there are few, else the extremes of each pixel.
    const Step pixels = std::min<Step>(samples, width);
    for (Step pixel = 0; pixel < pixels; ++pixel) {
      const Step begin = pixel * samples / pixels, end = std::max(begin + 1, (pixel + 1) * samples / pixels);
      const auto [least, most] = std::minmax_element(all[c].values.begin() + begin, all[c].values.begin() + end);
      for (const double value : {*least, *most}) {
        if (!std::isfinite(value)) continue;
        text += fmt::format("{:.1f},{:.1f} ", left + static_cast<double>(begin) * width / static_cast<double>(samples),
                            top + height * (1.0 - (value - low) / (high - low)));
        if (*least == *most) break;
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
  return terminal(curves(schedule, total, stride_of(total)), total, options);
}
std::string plot(const Optimizer& optimizer, Step total, const std::string& option, const PlotOptions& options) {
  check(total, options);
  return terminal(curves(optimizer, total, option, stride_of(total)), total, options);
}

std::string plot_csv(const Schedule& schedule, Step total) {
  check(total, {});
  return csv(curves(schedule, total, 1), total);
}
std::string plot_csv(const Optimizer& optimizer, Step total, const std::string& option) {
  check(total, {});
  return csv(curves(optimizer, total, option, 1), total);
}

std::string plot_svg(const Schedule& schedule, Step total, const PlotOptions& options) {
  check(total, options);
  return svg(curves(schedule, total, stride_of(total)), total, options);
}
std::string plot_svg(const Optimizer& optimizer, Step total, const std::string& option, const PlotOptions& options) {
  check(total, options);
  return svg(curves(optimizer, total, option, stride_of(total)), total, options);
}

}  // namespace temper::optim
