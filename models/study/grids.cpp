// Two grids of rates: over lengths of warm-up, and over weight decays.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>

#include <temper/train/print.hpp>

#include "models/study/heatmap.hpp"
#include "models/study/parts.hpp"
#include "models/study/statistics.hpp"

namespace temper::study {

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// `count` numbers from `low` to `high`, each the same multiple of the one before.
std::vector<double> geometric(double low, double high, int count) {
  std::vector<double> result;
  for (int i = 0; i < count; ++i) result.push_back(low * std::pow(high / low, double(i) / (count - 1)));
  return result;
}

/// From a quarter of the customary rate to beyond the one that is too high.
std::vector<double> rates(const Recipe& recipe, bool quick) {
  return geometric(recipe.lr / 4, 1.5 * recipe.too_high, quick ? 4 : 8);
}

std::vector<std::string> labels(const std::vector<double>& values) {
  std::vector<std::string> result;
  for (const double value : values) result.push_back(formatted("{:.2g}", value));
  return result;
}

/// The means of the runs of a cell, one value for each figure; NaN where none is made.
std::vector<double> cell(const Part& part, const std::string& key, std::size_t figures,
                         const std::function<Records::Figures(std::uint64_t seed)>& make) {
  std::vector<double> sums(figures);
  int runs = 0;
  for (int i = 0; i < part.bench.scale().seeds; ++i) {
    const std::uint64_t seed = part.bench.scale().first_seed + static_cast<std::uint64_t>(i);
    const auto found = part.records.get(formatted("{}, seed {}", key, seed), [&] { return make(seed); });
    if (!found) continue;
    for (std::size_t k = 0; k < figures; ++k) sums[k] += (*found)[k];
    ++runs;
  }
  for (double& sum : sums) sum = runs > 0 ? sum / runs : none;
  return sums;
}

void write(const Part& part, const char* name, const HeatMaps& picture) {
  const std::string file = part.folder + "/" + name;
  if (!(std::ofstream(file) << svg(picture)).flush()) throw FileError(file + ": cannot be written");
  print("picture: {}", file);
}

}  // namespace

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double middle_a = mean(a), middle_b = mean(b);
  double ab = 0.0, aa = 0.0, bb = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - middle_a) * (b[i] - middle_b);
    aa += (a[i] - middle_a) * (a[i] - middle_a);
    bb += (b[i] - middle_b) * (b[i] - middle_b);
  }
  return aa > 0.0 && bb > 0.0 ? ab / std::sqrt(aa * bb) : 0.0;
}

void study_warmup_grid(const Part& part) {
  const Step total = part.bench.total(), early = total / 4;
  std::vector<Step> lengths = {0, std::max<Step>(1, total / 100), total / 20, total / 10, total / 4};
  if (part.quick) lengths = {0, total / 10, total / 4};
  HeatMaps accuracies{
      .title = "Test accuracy.", .columns = "updates of warm-up", .rows = "peak rate", .low = 0.5, .high = 0.9};
  HeatMaps losses{.title = "Worst loss of the first quarter.",
                  .columns = "updates of warm-up",
                  .rows = "peak rate",
                  .low = 0.5,
                  .high = 5.0};
  print(
      "Warm-up over {} updates, then the same linear decay as without it. Best: accuracy with the length that is best "
      "at "
      "this rate.",
      total);
  for (const Recipe& recipe : {sgd(), momentum_sgd(), rmsprop(), adam(), adamw(), radam(), lion()}) {
    const std::vector<double> peaks = rates(recipe, part.quick);
    HeatMap accuracy{.title = recipe.name, .columns = {}, .rows = labels(peaks), .values = {}}, worst = accuracy;
    for (const Step n : lengths) accuracy.columns.push_back(worst.columns.emplace_back(formatted("{}", n)));
    for (const double lr : peaks) {
      std::vector<double> row;
      for (const Step n : lengths) {
        const optim::Schedule decay = lr * optim::linear_decay(total);
        const auto figures =
            cell(part, formatted("{}, lr {:.3g}, warm-up {}", recipe.name, lr, n), 2, [&](std::uint64_t seed) {
              const Outcome outcome =
                  part.bench.train(recipe, n > 0 ? decay * optim::warmup(n) : decay, recipe.decay, total, seed);
              // A loss that is not finite counts as one that is too large to be drawn.
              double largest = 0.0;
              for (Step k = 0; k < std::max<Step>(1, early); ++k) {
                const double loss = outcome.losses[static_cast<std::size_t>(k)];
                largest = std::max(largest, std::isfinite(loss) ? std::min(loss, 1e6) : 1e6);
              }
              return Records::Figures{outcome.accuracy, largest};
            });
        row.push_back(figures[0]);
        accuracy.values.push_back(figures[0]);
        worst.values.push_back(figures[1]);
      }
      const auto best = std::max_element(row.begin(), row.end());
      if (std::ranges::none_of(row, [](double x) { return std::isnan(x); })) {
        print("{:<18} lr {:<8.3g} without {:.4f}  best {:.4f} with {:>3} updates  gain {:+.4f}", recipe.name, lr,
              row[0], *best, lengths[static_cast<std::size_t>(best - row.begin())], *best - row[0]);
      }
    }
    accuracies.maps.push_back(accuracy);
    losses.maps.push_back(worst);
  }
  write(part, "warm-up-grid-accuracy.svg", accuracies);
  write(part, "warm-up-grid-loss.svg", losses);
}

void study_decay_grid(const Part& part) {
  const Step total = part.bench.total();
  const optim::Schedule shape = optim::cosine(total);
  const int count = part.quick ? 4 : 8;
  HeatMaps picture{.title = "Test accuracy; framed: the best eighth.",
                   .columns = "decay",
                   .rows = "peak rate",
                   .low = 0.6,
                   .high = 0.85,
                   .digits = 3};
  print(
      "The best eighth of the cells: correlation of log rate and log decay. 0: decay can be chosen without the rate; "
      "-1: "
      "only their product counts.");
  struct Kind {
    Recipe recipe;
    bool decoupled;
  };
  for (const Kind& kind : {Kind{sgd(), false}, Kind{independent_sgdw(0.0), true}, Kind{momentum_sgd(), false},
                           Kind{independent_sgdw(0.9), true}, Kind{adam(), false}, Kind{independent_adamw(), true}}) {
    const std::vector<double> peaks = rates(kind.recipe, part.quick);
    // Decoupled decay takes this share off a weight at each update; L2 is multiplied by the rate first.
    const std::vector<double> decays = kind.decoupled ? geometric(1e-5, 3e-2, count) : geometric(1e-4, 1.0, count);
    HeatMap map{.title = kind.recipe.name, .columns = labels(decays), .rows = labels(peaks), .values = {}};
    for (const double lr : peaks) {
      for (const double decay : decays) {
        map.values.push_back(cell(
            part, formatted("{}, lr {:.3g}, decay {:.3g}", kind.recipe.name, lr, decay), 1, [&](std::uint64_t seed) {
              return Records::Figures{part.bench.train(kind.recipe, lr * shape, decay, total, seed).accuracy};
            })[0]);
      }
    }
    if (std::ranges::none_of(map.values, [](double x) { return std::isnan(x); })) {
      std::vector<std::size_t> order(map.values.size());
      std::iota(order.begin(), order.end(), 0u);
      std::ranges::sort(order, [&](std::size_t i, std::size_t j) { return map.values[i] > map.values[j]; });
      map.marked.resize(order.size());
      std::vector<double> across, down;
      for (std::size_t k = 0; k < std::max<std::size_t>(3, order.size() / 8); ++k) {
        map.marked[order[k]] = true;
        across.push_back(static_cast<double>(order[k] % decays.size()));
        down.push_back(static_cast<double>(order[k] / decays.size()));
      }
      const std::size_t best = order[0];
      print("{:<28} best {:.4f} at lr {:.3g}, decay {:.3g}  correlation {:+.2f}", kind.recipe.name, map.values[best],
            peaks[best / decays.size()], decays[best % decays.size()], correlation(down, across));
    }
    picture.maps.push_back(map);
  }
  write(part, "weight-decay-grid.svg", picture);
}

}  // namespace temper::study
