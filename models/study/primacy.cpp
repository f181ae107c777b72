// What first batches of one class, or of similar images, leave behind.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <temper/train/print.hpp>

#include "models/study/parts.hpp"
#include "models/study/statistics.hpp"

namespace temper::study {

namespace {

using Batches = std::vector<std::vector<std::int64_t>>;

/// The first images of an order, cut into batches.
Batches cut(const std::vector<std::int64_t>& order, int batches, std::int64_t size) {
  Batches result;
  for (int i = 0; i < batches; ++i) {
    const auto from = order.begin() + i * size;
    if (order.end() - from < size) break;
    result.emplace_back(from, from + size);
  }
  return result;
}

Batches of_one_class(const Images& images, std::int64_t which, int batches, std::int64_t size) {
  const Tensor all = arange(images.size());
  const Tensor labels = std::get<1>(images.batch(all.values<std::int64_t>()));
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < images.size(); ++i) {
    if (labels.values<std::int64_t>()[static_cast<std::size_t>(i)] == which) order.push_back(i);
  }
  return cut(order, batches, size);
}

/// The images nearest to the one with number `centre`.
Batches cluster(const Images& images, std::int64_t centre, int batches, std::int64_t size) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(images.size()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const Tensor all = std::get<0>(images.batch(order));
  const auto pixels = all.values<float>();
  const auto length = static_cast<std::int64_t>(pixels.size()) / images.size();
  std::vector<double> distances(order.size());
  for (std::int64_t i = 0; i < images.size(); ++i) {
    for (std::int64_t k = 0; k < length; ++k) {
      const double away = double{pixels[static_cast<std::size_t>(i * length + k)]} -
                          double{pixels[static_cast<std::size_t>(centre * length + k)]};
      distances[static_cast<std::size_t>(i)] += away * away;
    }
  }
  std::ranges::sort(order, [&](std::int64_t i, std::int64_t j) {
    return distances[static_cast<std::size_t>(i)] < distances[static_cast<std::size_t>(j)];
  });
  return cut(order, batches, size);
}

/// Which classes a model predicts for the first test images.
struct Predictions {
  double accuracy = 0.0;
  double largest_share = 0.0;  ///< of the class that is predicted most
};

Predictions predict(const nn::Sequential& model, const Images& test, std::int64_t count) {
  const NoTape unrecorded;
  const Tensor numbers = arange(std::min(count, test.size()));
  const auto [images, labels] = test.batch(numbers.values<std::int64_t>());
  const Tensor chosen = argmax(model(images), -1);
  const auto predicted = chosen.values<std::int64_t>(), expected = labels.values<std::int64_t>();
  std::vector<double> shares(64);
  Predictions result;
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    const double one = 1.0 / static_cast<double>(predicted.size());
    shares[static_cast<std::size_t>(predicted[i])] += one;
    if (predicted[i] == expected[i]) result.accuracy += one;
  }
  result.largest_share = *std::ranges::max_element(shares);
  return result;
}

double distance(const std::vector<Tensor>& from, const std::vector<Parameter>& to) {
  double sum = 0.0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto a = from[i].values<float>(), b = to[i].value().values<float>();
    for (std::size_t k = 0; k < a.size(); ++k) sum += (double{a[k]} - double{b[k]}) * (double{a[k]} - double{b[k]});
  }
  return std::sqrt(sum);
}

enum Figure : std::size_t { first_update, after_batches, share, reached, end, figures };

}  // namespace

void study_primacy(const Part& part) {
  const Bench& bench = part.bench;
  const std::int64_t size = bench.scale().batch_size;
  const int batches = std::max(2, static_cast<int>(std::min<Step>(10, bench.total() / 10)));
  const Step total = bench.total(), warm = std::max<Step>(batches, total / 10), every = std::max<Step>(1, total / 100);
  print(
      "The first {} of {} updates from shuffled images, from one class, or from the images nearest to one; warm-up "
      "over {} updates or none.",
      batches, total, warm);
  print(
      "Step 1, step {}: distance from the initial weights. Share: of the test images, that get the commonest answer "
      "then. Reached: updates until the test accuracy is 90% of the shuffled run's last one.",
      batches);
  print("{:<17} {:>7} {:>8} {:>9} {:>9} {:>9} {:>8} {:>16} {:>9} {:>14}", "optimizer", "lr", "warm-up", "first",
        "step 1", formatted("step {}", batches), "share", "reached", "epochs", "accuracy");
  std::vector<Recipe> recipes = {sgd(), momentum_sgd(), adam(), adamw()};
  if (part.quick) recipes = {sgd(), adamw()};
  for (const Recipe& recipe : recipes) {
    // A high rate that is borne, and the customary one.
    for (const double lr : {recipe.lr, recipe.high / 2}) {
      for (const bool with : {false, true}) {
        std::vector<double> shuffled_reached;
        for (const char* kind : {"shuffled", "class", "cluster"}) {
          std::vector<std::vector<double>> columns(figures);
          for (int i = 0; i < bench.scale().seeds; ++i) {
            const std::uint64_t seed = bench.scale().first_seed + static_cast<std::uint64_t>(i);
            const auto train = [&](const std::string& first, double target) {
              Extras extras;
              if (first == "class") {
                extras.first_batches =
                    of_one_class(bench.training_images(), static_cast<std::int64_t>(seed % 10), batches, size);
              } else if (first == "cluster") {
                extras.first_batches =
                    cluster(bench.training_images(),
                            static_cast<std::int64_t>(seed * 37) % bench.training_images().size(), batches, size);
              }
              Records::Figures result(figures, std::numeric_limits<double>::quiet_NaN());
              std::vector<Tensor> start;
              extras.look = [&](const Moment& moment) {
                const std::vector<Parameter> now = moment.model.parameters();
                if (moment.updates == 0) {
                  for (const Parameter& parameter : now) start.push_back(parameter.value().clone());
                }
                if (moment.updates == 1) result[first_update] = distance(start, now);
                if (moment.updates == batches) {
                  result[after_batches] = distance(start, now);
                  result[share] = predict(moment.model, bench.test_images(), 1000).largest_share;
                }
                if (moment.updates % every == 0 && std::isnan(result[reached]) && target > 0.0 &&
                    predict(moment.model, bench.test_images(), 1000).accuracy >= target) {
                  result[reached] = static_cast<double>(moment.updates);
                }
              };
              const optim::Schedule decay = lr * optim::linear_decay(total);
              result[end] =
                  bench.train(recipe, with ? decay * optim::warmup(warm) : decay, recipe.decay, total, seed, extras)
                      .accuracy;
              return result;
            };
            const std::string key =
                formatted("{}, lr {:.3g}, warm-up {}, seed {}", recipe.name, lr, with ? warm : 0, seed);
            const auto last =
                part.records.get(key + ", target", [&] { return Records::Figures{train("shuffled", 0.0)[end]}; });
            if (!last) continue;
            const auto run = part.records.get(key + ", " + kind, [&] { return train(kind, 0.9 * last->front()); });
            if (!run) continue;
            for (std::size_t k = 0; k < figures; ++k) columns[k].push_back((*run)[k]);
          }
          if (std::ssize(columns[0]) != bench.scale().seeds) continue;
          if (std::string(kind) == "shuffled") shuffled_reached = columns[reached];
          std::vector<double> extra;  // epochs more than the shuffled run of the same seed
          for (std::size_t k = 0; k < columns[reached].size() && k < shuffled_reached.size(); ++k) {
            extra.push_back((columns[reached][k] - shuffled_reached[k]) / static_cast<double>(bench.epoch()));
          }
          const double updates = mean(columns[reached]);  // NaN when some run did not reach it
          print("{:<17} {:>7.3g} {:>8} {:>9} {:>9.3f} {:>9.3f} {:>8.2f} {:>16} {:>9} {:.4f} ± {:.4f}", recipe.name, lr,
                with ? warm : 0, kind, mean(columns[first_update]), mean(columns[after_batches]), mean(columns[share]),
                std::isnan(updates) ? "not by all"
                                    : formatted("{:.1f} ± {:.1f}", updates, standard_deviation(columns[reached])),
                extra.empty() || std::isnan(mean(extra)) ? "-" : formatted("{:+.3f}", mean(extra)), mean(columns[end]),
                standard_deviation(columns[end]));
        }
      }
    }
  }
}

}  // namespace temper::study
