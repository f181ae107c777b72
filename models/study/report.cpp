#include "models/study/report.hpp"

#include <algorithm>
#include <cmath>

#include <temper/train/print.hpp>

#include "models/study/statistics.hpp"

namespace temper::study {

namespace {

std::vector<double> column(std::span<const WarmupRun> runs, double WarmupRun::*field) {
  std::vector<double> values;
  for (const WarmupRun& run : runs) values.push_back(run.*field);
  return values;
}

/// "mean ± standard deviation".
std::string with_deviation(const std::vector<double>& values, int digits) {
  if (!std::isfinite(mean(values))) return "overflow";
  return formatted("{:.{}f} ± {:.{}f}", mean(values), digits, standard_deviation(values), digits);
}

/// The same with the sign of the mean.
std::string change_with_deviation(const std::vector<double>& change, int digits) {
  if (!std::isfinite(mean(change))) return "overflow";
  return formatted("{:+.{}f} ± {:.{}f}", mean(change), digits, standard_deviation(change), digits);
}

/// Counts the settings that support or contradict a claim.
struct Tally {
  int settings = 0, better = 0, worse = 0, failed_without = 0, failed_with = 0;

  void add(const WarmupEffect& effect) {
    const std::string word = verdict(effect.accuracy, 1.0);
    ++settings;
    better += word == "better" ? 1 : 0;
    worse += word == "worse" ? 1 : 0;
    failed_without += effect.failed_without;
    failed_with += effect.failed_with;
  }
  std::string text() const {
    return formatted(
        "accuracy better in {} of {} settings, worse in {}, mixed in {}; {} runs failed without it, {} with it", better,
        settings, worse, settings - better - worse, failed_without, failed_with);
  }
};

}  // namespace

std::string verdict(const std::vector<double>& change, double good) {
  const auto all = [&](double sign) {
    return std::all_of(change.begin(), change.end(), [&](double value) { return sign * value > 0.0; });
  };
  return all(good) ? "better" : all(-good) ? "worse" : "mixed";
}

void print_noise_updates(const std::vector<double>& sizes) {
  print("Adam's first updates of weights whose gradients are pure noise, in units of lr (root mean square):");
  std::string updates = formatted("{:<10}", "update"), values = formatted("{:<10}", "size");
  for (const std::size_t t : {1, 2, 3, 5, 10, 20, 50, 100, 1000}) {
    if (t > sizes.size()) break;
    updates += formatted("{:>7}", t);
    values += formatted("{:>7.2f}", sizes[t - 1]);
  }
  print("{}\n{}\n", updates, values);
}

void print_warmup_header() {
  print("{:<10} {:>6} {:>8} {:>13}  {:>14}  {:>15} {:>8}", "optimizer", "lr", "warm-up", "largest loss", "early loss",
        "test accuracy", "failed");
}

void print_setting(std::span<const WarmupRun> runs) {
  const WarmupRun& setting = runs.front();
  const auto failed = std::count_if(runs.begin(), runs.end(), [](const WarmupRun& run) { return run.failed(); });
  const std::vector<double> largest = column(runs, &WarmupRun::largest_loss);
  print("{:<10} {:>6} {:>8} {:>13.3g}  {:>14}  {:>15} {:>8}", setting.optimizer, setting.lr,
        setting.warmup ? "yes" : "no", *std::max_element(largest.begin(), largest.end()),
        with_deviation(column(runs, &WarmupRun::early_loss), 3), with_deviation(column(runs, &WarmupRun::accuracy), 4),
        formatted("{} of {}", failed, runs.size()));
}

void print_warmup_claims(const std::vector<WarmupRun>& runs) {
  print("\nWhat warm-up changed, seed by seed: better or worse when every seed says so, else mixed.");
  Tally adaptive, plain;
  for (const WarmupEffect& effect : effects(runs)) {
    (effect.optimizer == "SGD" ? plain : adaptive).add(effect);
    print("{:<10} {:>6}  early loss {:>15}  {:<7} test accuracy {:>17}  {}", effect.optimizer, effect.lr,
          change_with_deviation(effect.early_loss, 3), verdict(effect.early_loss, -1.0),
          change_with_deviation(effect.accuracy, 4), verdict(effect.accuracy, 1.0));
  }
  print("claim: warm-up helps adaptive optimizers.\n  measured: {}", adaptive.text());
  print("claim: plain SGD has little reason for warm-up.\n  measured: {}\n", plain.text());
}

void print_decay(const std::vector<DecayComparison>& comparisons) {
  print("{:<28} {:<28} {:>10}  {}", "decay as L2", "decoupled decay", "difference", "of what decay did");
  for (const DecayComparison& pair : comparisons) {
    const std::string share = pair.same_bits ? "all bits equal" : formatted("{:.3g}%", 100 * pair.share());
    print("{:<28} {:<28} {:>10.2g}  {}", pair.first, pair.second, pair.difference, share);
  }
  const auto holds = [&](auto&& applies, auto&& is_true) {
    const auto agrees = [&](const DecayComparison& pair) { return !applies(pair) || is_true(pair); };
    return std::all_of(comparisons.begin(), comparisons.end(), agrees) ? "holds" : "does not hold";
  };
  const auto vanilla = [](const DecayComparison& pair) { return pair.vanilla() && pair.decay > 0; };
  const auto exact = [](const DecayComparison& pair) { return pair.first_recipe == exact_sgd && pair.decay > 0; };
  const auto other = [](const DecayComparison& pair) { return !pair.vanilla() && pair.decay > 0; };
  const auto none = [](const DecayComparison& pair) { return pair.decay == 0; };
  print("claim: L2 equals decoupled decay for vanilla SGD, but for rounding: {}",
        holds(vanilla, [](const DecayComparison& pair) { return pair.share() < 1e-4; }));
  print("claim: to the last bit where the rate is a power of two: {}",
        holds(exact, [](const DecayComparison& pair) { return pair.same_bits; }));
  print("claim: and for nothing else: {}",
        holds(other, [](const DecayComparison& pair) { return pair.share() > 1e-2; }));
  print("claim: without decay there is no difference: {}\n",
        holds(none, [](const DecayComparison& pair) { return pair.same_bits; }));
}

void print_rounding(const std::vector<RoundingResult>& rows) {
  print("How much of AdamW's weight decay takes place, by rounding, for weights between 1 and 2:");
  print("{:>8} {:>20}  {:>13} {:>8} {:>12}", "lr", "lr * weight_decay", "torch_compat", "once", "compensated");
  for (const RoundingResult& row : rows) {
    print("{:>8} {:>20}  {:>12.1f}% {:>7.1f}% {:>11.1f}%", formatted("{:g}", row.lr), formatted("{:g}", row.decay),
          100 * row.torch_compat, 100 * row.once, 100 * row.compensated);
  }
}

void print_moments(const std::vector<MomentsRuns>& rows) {
  const auto change = [](const std::vector<double>& from, std::vector<double> to) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] -= from[i];
    return change_with_deviation(to, 4);
  };
  print("\nAdamW with its moments in fewer bits, at the customary rate with warm-up. Changes are seed by seed.");
  print("{:8} {:>17} {:>18} {:>18} {:>18}", "moments", "last losses", "change", "test accuracy", "change");
  for (const MomentsRuns& row : rows) {
    const bool first = &row == &rows.front();
    print("{:8} {:>18} {:>19} {:>19} {:>19}", row.moments, with_deviation(row.loss, 4),
          first ? "" : change(rows.front().loss, row.loss), with_deviation(row.accuracy, 4),
          first ? "" : change(rows.front().accuracy, row.accuracy));
  }
}

std::string csv(const std::vector<WarmupRun>& runs) {
  std::string text = "optimizer,lr,warmup,seed,largest_loss,early_loss,accuracy\n";
  for (const WarmupRun& run : runs) {
    text += formatted("{},{},{:d},{},{},{},{}\n", run.optimizer, run.lr, run.warmup, run.seed, run.largest_loss,
                      run.early_loss, run.accuracy);
  }
  return text;
}

std::vector<Picture> pictures(const std::vector<double>& noise_updates) {
  using namespace optim;
  const Schedule noise = custom("Adam's update / lr", [noise_updates](Step k) {
    return noise_updates[static_cast<std::size_t>(std::min<Step>(k, std::ssize(noise_updates) - 1))];
  });

  // One group per convention: plot_svg draws the groups of an optimizer into one picture.
  std::vector<Group> groups;
  const auto add = [&](const char* name, const char* option, const Schedule& value) {
    groups.push_back({.parameters = {Parameter(zeros({1}), Role::weight)}, .name = name, .set = {{option, value}}});
  };
  add("Temper, llm.c", "lr", warmup(4).then(linear_decay(6)));
  add("transformers", "lr", linear_schedule_with_warmup(1.0, 4, 10));
  add("BERT", "lr", bert_schedule(1.0, 4, 10));
  add("DeepSpeed's default", "lr", deepspeed_log_warmup(1.0, 4));
  const AdamW conventions(groups, {});

  groups.clear();
  const Schedule shape = warmup(100).then(cosine(900));
  add("coupled, lr * weight_decay", "weight_decay", 1e-3 * 0.1 * shape);
  add("independent, a constant of its own", "weight_decay", 4e-5);
  const AdamW decays(groups, {.decay = Decay::independent});

  const PlotOptions size{.width = 64, .height = 12};
  return {{"warm-up-noise.svg", plot_svg(noise, 100, size)},
          {"warm-up-conventions.svg", plot_svg(conventions, 10, "lr", size)},
          {"weight-decay-coupling.svg", plot_svg(decays, 1000, "weight_decay", size)}};
}

}  // namespace temper::study
