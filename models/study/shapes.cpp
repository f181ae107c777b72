// Shapes of schedules at the same number of updates, and the list of the parts.

#include <algorithm>
#include <limits>
#include <numeric>

#include <temper/train/print.hpp>

#include "models/study/parts.hpp"
#include "models/study/statistics.hpp"

namespace temper::study {

void study_shapes(const Part& part) {
  const Bench& bench = part.bench;
  const Step total = bench.total(), warm = std::max<Step>(1, total / 10), rest = total - warm;
  using namespace optim;
  struct Shape {
    const char* name;
    Schedule value;
  };
  const std::vector<Shape> shapes = {{"warm-up, linear", warmup(warm).then(linear_decay(rest))},
                                     {"BERT's, decay from 0 on", bert_schedule(1.0, warm, total)},
                                     {"warm-up, constant", warmup(warm).then(constant(1.0))},
                                     {"warm-up, cosine", warmup(warm).then(cosine(rest))},
                                     {"WSD, last fifth linear", wsd(warm, rest - total / 5, linear_decay(total / 5))},
                                     {"warm-up, inverse sqrt", warmup(warm).then(inverse_sqrt(warm))},
                                     {"linear without warm-up", linear_decay(total)}};
  print(
      "{} updates each, {} of them warm-up; of each shape the best of the rates by mean loss of the last tenth, seeds "
      "{} to {}.",
      total, warm, bench.scale().first_seed,
      bench.scale().first_seed + static_cast<std::uint64_t>(bench.scale().seeds) - 1);
  print("{:<17} {:<26} {:>8} {:>18} {:>19}", "optimizer", "shape", "lr", "last losses", "test accuracy");
  for (const Recipe& recipe : {momentum_sgd(), adamw()}) {
    for (const Shape& shape : shapes) {
      double best = std::numeric_limits<double>::infinity();
      std::string line;
      bool complete = true;
      for (const double factor :
           part.quick ? std::vector<double>{1.0, 4.0} : std::vector<double>{0.5, 1.0, 2.0, 4.0, 8.0}) {
        std::vector<double> losses, accuracies;
        for (int i = 0; i < bench.scale().seeds; ++i) {
          const std::uint64_t seed = bench.scale().first_seed + static_cast<std::uint64_t>(i);
          const auto run = part.records.get(
              formatted("{}, {}, lr {:.3g}, seed {}", recipe.name, shape.name, factor * recipe.lr, seed), [&] {
                const Outcome outcome =
                    bench.train(recipe, factor * recipe.lr * shape.value, recipe.decay, total, seed);
                const auto last = std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(total / 10));
                const double sum = std::accumulate(outcome.losses.end() - last, outcome.losses.end(), 0.0);
                return Records::Figures{sum / static_cast<double>(last), outcome.accuracy};
              });
          if (!run) continue;
          losses.push_back(run->front());
          accuracies.push_back(run->back());
        }
        if (std::ssize(losses) != bench.scale().seeds) {
          complete = false;
        } else if (mean(losses) < best) {
          best = mean(losses);
          line = formatted("{:<17} {:<26} {:>8.3g} {:>9.4f} ± {:.4f} {:>10.4f} ± {:.4f}", recipe.name, shape.name,
                           factor * recipe.lr, mean(losses), standard_deviation(losses), mean(accuracies),
                           standard_deviation(accuracies));
        }
      }
      if (complete) print("{}", line);
    }
  }
}

const std::vector<NamedPart>& parts() {
  // Weight decay is seen where there is something to overfit: few images, often.
  static const std::vector<NamedPart> all = {{"warm-up", study_warmup_grid, 12000, 2},
                                             {"decay", study_decay_grid, 1500, 16},
                                             {"primacy", study_primacy, 12000, 2},
                                             {"curvature", study_curvature, 12000, 2},
                                             {"shapes", study_shapes, 12000, 2}};
  return all;
}

}  // namespace temper::study
