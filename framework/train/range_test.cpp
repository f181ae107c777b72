#include <temper/train/range_test.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>

#include "framework/core/format_internal.hpp"

namespace temper {

namespace {

constexpr double newest = 0.05;  // weight of a loss in the average that decides when the test ends
constexpr std::size_t fewest = 10;

/// The upper edge of a picture: a little above the first losses. What is beyond has diverged, and is drawn there.
double edge(const std::vector<double>& smooth) {
  const auto lowest = std::ranges::min_element(smooth);
  const double low = *lowest, top = *std::max_element(smooth.begin(), lowest + 1);
  return top > low ? top + 0.15 * (top - low) : low + std::max(1e-6, std::abs(low) * 0.01);
}

}  // namespace

RangeTest::RangeTest(const RangeTestOptions& options) : options_(options) {
  const auto& [from, to, updates, diverged] = options;
  if (!(from > 0 && from < to && std::isfinite(to))) {
    fail<ValueError>("RangeTest: rates from {} to {}, expected two positive ones, the smaller first", from, to);
  }
  if (updates < 2) fail<ValueError>("RangeTest: {} updates, expected at least 2", updates);
  if (!(diverged > 1)) fail<ValueError>("RangeTest: it would end at {} times the smallest loss, expected more than 1", diverged);
}

double RangeTest::rate() const {
  const double part = static_cast<double>(rates_.size()) / static_cast<double>(options_.updates - 1);
  return options_.from * std::pow(options_.to / options_.from, std::min(part, 1.0));
}

double RangeTest::limit() const { return best_ + (options_.diverged - 1) * std::abs(best_); }

bool RangeTest::add(double loss) {
  if (!std::isfinite(loss)) {
    diverge();
    return false;
  }
  rates_.push_back(rate());
  losses_.push_back(loss);
  average_ += newest * (loss - average_);
  const double count = static_cast<double>(losses_.size());
  const double corrected = average_ / (1 - std::pow(1 - newest, count));
  best_ = losses_.size() == 1 ? corrected : std::min(best_, corrected);
  diverged_ = corrected > limit();
  return !diverged_ && static_cast<Step>(losses_.size()) < options_.updates;
}

void RangeTest::diverge() { diverged_ = true; }

std::vector<double> RangeTest::smoothed() const {
  const double deviation = std::max(1.0, 0.03 * static_cast<double>(options_.updates));
  std::vector<double> smooth;
  for (std::size_t i = 0; i < losses_.size(); ++i) {
    double sum = 0, weights = 0;
    for (std::size_t j = 0; j < losses_.size(); ++j) {
      const double distance = (static_cast<double>(i) - static_cast<double>(j)) / deviation;
      const double weight = std::exp(-0.5 * distance * distance);
      sum += weight * std::min(losses_[j], limit());
      weights += weight;
    }
    smooth.push_back(sum / weights);
  }
  return smooth;
}

/// The place of the smallest loss, if there is something to learn from it.
std::optional<std::size_t> RangeTest::lowest(const std::vector<double>& smooth) const {
  if (smooth.size() < fewest) return std::nullopt;
  const auto place = static_cast<std::size_t>(std::ranges::min_element(smooth) - smooth.begin());
  return place > 0 ? std::optional(place) : std::nullopt;
}

std::optional<double> RangeTest::suggestion() const {
  const auto place = lowest(smoothed());
  return place ? std::optional(rates_[*place] / 10) : std::nullopt;
}

std::optional<double> RangeTest::steepest() const {
  const std::vector<double> smooth = smoothed();
  const auto end = lowest(smooth);
  if (!end) return std::nullopt;
  // The rates are equally far apart on the axis of their logarithms.
  std::size_t best = 1;
  double fastest = 0;
  for (std::size_t i = 1; i <= *end && i + 1 < smooth.size(); ++i) {
    const double fall = smooth[i - 1] - smooth[i + 1];
    if (fall <= fastest) continue;
    fastest = fall;
    best = i;
  }
  return rates_[best];
}

std::string RangeTest::findings() const {
  const auto rate = suggestion();
  std::string text = fmt::format("{} updates with rates from {:.2g} to {:.2g}", losses_.size(), options_.from,
                                 rates_.empty() ? options_.from : rates_.back());
  if (diverged_) text += ", then the loss diverged";
  if (!rate) {
    const char* why = losses_.size() < fewest ? "that is too few to say anything" : "the loss never fell";
    return fmt::format("{}; there is no suggestion: {}", text, why);
  }
  return fmt::format(
      "{}; suggested: --lr {:.2g}, a tenth of the rate at which the loss is smallest ({:.2g}); it falls fastest at {:.2g}",
      text, *rate, *rate * 10, *steepest());
}

std::string RangeTest::text() const {
  constexpr std::size_t width = 72, height = 14;
  if (losses_.size() < 2) return findings() + "\n";
  const std::vector<double> smooth = smoothed();
  const double low = *std::ranges::min_element(smooth);
  const double high = edge(smooth);
  std::vector<std::string> rows(height, std::string(width, ' '));
  const auto column = [&](double rate) {
    const double part = std::log(rate / rates_.front()) / std::log(rates_.back() / rates_.front());
    return static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * (width - 1) + 0.5);
  };
  const auto row = [&](double loss) {
    const double part = (std::clamp(loss, low, high) - low) / (high - low);
    return height - 1 - static_cast<std::size_t>(part * (height - 1) + 0.5);
  };
  const auto rate = suggestion();
  if (rate) {
    for (std::string& line : rows) line[column(*rate)] = ':';
  }
  for (std::size_t i = 0; i < losses_.size(); ++i) rows[row(losses_[i])][column(rates_[i])] = '.';
  for (std::size_t i = 0; i < losses_.size(); ++i) rows[row(smooth[i])][column(rates_[i])] = '*';
  std::string text = "loss, * smoothed, over the learning rate\n";
  for (std::size_t r = 0; r < height; ++r) {
    const std::string label = r == 0 ? fmt::format("{:.4g}", high) : r + 1 == height ? fmt::format("{:.4g}", low) : "";
    rows[r].erase(rows[r].find_last_not_of(' ') + 1);
    text += fmt::format("{:>10} |{}\n", label, rows[r]);
  }
  std::string axis(width + 12, ' '), line(width, '-');
  for (double decade = std::ceil(std::log10(rates_.front()) - 1e-9); decade <= std::log10(rates_.back()) + 1e-9; ++decade) {
    const std::size_t at = column(std::pow(10.0, decade));
    const std::string mark = fmt::format("{:.0e}", std::pow(10.0, decade));
    line[at] = '+';
    axis.replace(11 + at, mark.size(), mark);
  }
  axis.erase(axis.find_last_not_of(' ') + 1);
  return text + fmt::format("{:>10} +{}\n {}\n{}\n", "", line, axis, findings());
}

std::string RangeTest::sample() const {
  nlohmann::json marks = nlohmann::json::array();
  if (const auto rate = suggestion()) marks.push_back({{"x", *rate}, {"label", fmt::format("--lr {:.2g}", *rate)}});
  std::vector<double> smooth = smoothed(), losses = losses_;
  const double high = smooth.empty() ? 0.0 : edge(smooth);
  for (std::vector<double>* curve : {&smooth, &losses}) {
    for (double& loss : *curve) loss = std::min(loss, high);
  }
  return nlohmann::json{
      {"kind", "chart"},
      {"title", "Learning rate range test"},
      {"caption", findings()},
      {"x", {{"name", "learning rate"}, {"log", true}, {"values", rates_}}},
      {"series", {{{"name", "loss"}, {"values", losses}, {"faint", true}}, {{"name", "smoothed"}, {"values", smooth}}}},
      {"marks", marks}}
      .dump();
}

}  // namespace temper
