// Two reasons for warm-up, measured side by side: moments that have seen too little, and a start that is too steep.

#include <algorithm>
#include <cmath>
#include <numeric>

#include <temper/train/print.hpp>

#include "models/study/parts.hpp"
#include "models/study/statistics.hpp"

namespace temper::study {

namespace {

using Vector = std::vector<double>;

Vector weights(const std::vector<Parameter>& parameters) {
  Vector result;
  for (const Parameter& parameter : parameters) {
    const auto values = parameter.value().values<float>();
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
}

void set(const std::vector<Parameter>& parameters, const Vector& x) {
  const double* from = x.data();
  for (const Parameter& parameter : parameters) {
    Tensor value = parameter.value();
    for (float& each : value.mutable_values<float>()) each = static_cast<float>(*from++);
  }
}

/// The gradient of the loss of some images. The parameters have no gradient afterwards.
Vector gradient(const nn::Sequential& model, const Tensor& images, const Tensor& labels) {
  std::vector<Parameter> parameters = model.parameters();
  Tape tape;
  tape.backward(cross_entropy(model(images), labels));
  Vector result;
  for (Parameter& parameter : parameters) {
    const auto values = parameter.gradient().values<float>();
    result.insert(result.end(), values.begin(), values.end());
    parameter.discard_gradient();
  }
  return result;
}

double norm(const Vector& x) {
  double sum = 0.0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

}  // namespace

double sharpness(const nn::Sequential& model, const Tensor& images, const Tensor& labels, int iterations) {
  const std::vector<Parameter> parameters = model.parameters();
  const Vector at = weights(parameters);
  // Not an infinitesimal step: at a corner of ReLU or max pooling a difference of gradients does not shrink with it.
  const double step = 1e-3 * std::max(1.0, norm(at));
  // Products with the Hessian are differences of gradients, because max pooling has no second derivative.
  const auto product = [&](const Vector& way) {
    const auto beside = [&](double sign) {
      Vector x = at;
      for (std::size_t k = 0; k < x.size(); ++k) x[k] += sign * step * way[k];
      set(parameters, x);
      return gradient(model, images, labels);
    };
    Vector ahead = beside(1.0);
    const Vector behind = beside(-1.0);
    for (std::size_t k = 0; k < ahead.size(); ++k) ahead[k] = (ahead[k] - behind[k]) / (2.0 * step);
    return ahead;
  };
  struct Found {
    double eigenvalue, magnitude;  // way' H way, and the length of H way
  };
  // The eigenvalue of the Hessian H whose sum with `shift` is largest in magnitude.
  const auto iterate = [&](double shift) {
    // From the gradient, which lies mostly along the steepest directions.
    Vector way = gradient(model, images, labels);
    Found found{0.0, 0.0};
    for (int i = 0; i < iterations; ++i) {
      const double length = norm(way);
      if (!(length > 0.0) || !std::isfinite(length)) break;
      for (double& value : way) value /= length;
      const Vector image = product(way);
      found = {std::inner_product(image.begin(), image.end(), way.begin(), 0.0), norm(image)};
      for (std::size_t k = 0; k < way.size(); ++k) way[k] = image[k] + shift * way[k];
    }
    set(parameters, at);
    return found;
  };
  // With the largest magnitude added none is negative, so that the largest eigenvalue comes first.
  return iterate(iterate(0.0).magnitude).eigenvalue;
}

namespace {

/// How far Adam's bias-corrected second moments are from the means of squared gradients over many batches at the same
/// weights: sum of differences, as a share of the sum. NaN for optimizers without them.
double moment_error(const Moment& moment, const Bench& bench, int batches) {
  const optim::OptimizerState state = moment.optimizer.state();
  Vector kept;
  for (const Parameter& parameter : moment.model.parameters()) {
    const auto found = state.tensors.find(parameter.name() + "/exp_avg_sq");
    if (found == state.tensors.end()) return std::nan("");
    const auto values = found->second.values<float>();
    kept.insert(kept.end(), values.begin(), values.end());
  }
  const double correction = 1.0 - std::pow(0.999, static_cast<double>(moment.updates));
  Vector squares(kept.size());
  for (int i = 0; i < batches; ++i) {
    std::vector<std::int64_t> numbers;
    for (std::int64_t k = 0; k < bench.scale().batch_size; ++k) {
      numbers.push_back((i * bench.scale().batch_size + k) % bench.training_images().size());
    }
    const auto [images, labels] = bench.training_images().batch(numbers);
    const Vector g = gradient(moment.model, images, labels);
    for (std::size_t k = 0; k < g.size(); ++k) squares[k] += g[k] * g[k] / batches;
  }
  double wrong = 0.0, all = 0.0;
  for (std::size_t k = 0; k < kept.size(); ++k) {
    wrong += std::abs(kept[k] / correction - squares[k]);
    all += squares[k];
  }
  return wrong / all;
}

}  // namespace

void study_curvature(const Part& part) {
  const Bench& bench = part.bench;
  const Step total = bench.total(), warm = total / 10;
  std::vector<Step> moments;
  for (const double share : {0.0, 0.003, 0.01, 0.03, 0.06, 0.1, 0.2, 0.5, 1.0}) {
    const auto k = static_cast<Step>(share * static_cast<double>(total));
    if (moments.empty() || k > moments.back()) moments.push_back(k);
  }
  const int iterations = part.quick ? 6 : 20, batches = part.quick ? 8 : 50;
  const Tensor numbers = arange(std::min<std::int64_t>(part.quick ? 200 : 1000, bench.training_images().size()));
  const auto [images, labels] = bench.training_images().batch(numbers.values<std::int64_t>());
  print(
      "Sharpness: the largest eigenvalue of the Hessian of {} images. Moments: how far Adam's second moments are from "
      "the squares of {} batches. Rate x sharpness: steps of gradient descent overshoot beyond 2.",
      numbers.numel(), batches);
  for (const Recipe& recipe : {sgd(), momentum_sgd(), adamw()}) {
    for (const double lr : {recipe.lr, recipe.high}) {
      for (const bool with : {false, true}) {
        const optim::Schedule decay = lr * optim::linear_decay(total);
        const optim::Schedule rate = with ? decay * optim::warmup(warm) : decay;
        std::vector<std::vector<double>> steep(moments.size()), wrong(moments.size());
        std::vector<double> accuracies;
        for (int i = 0; i < bench.scale().seeds; ++i) {
          const std::uint64_t seed = bench.scale().first_seed + static_cast<std::uint64_t>(i);
          const auto run = part.records.get(
              formatted("{}, lr {:.3g}, warm-up {}, seed {}", recipe.name, lr, with ? warm : 0, seed), [&] {
                Records::Figures figures;
                const auto look = [&](const Moment& moment) {
                  if (!std::ranges::binary_search(moments, moment.updates)) return;
                  figures.push_back(sharpness(moment.model, images, labels, iterations));
                  figures.push_back(moment.updates > 0 ? moment_error(moment, bench, batches) : std::nan(""));
                };
                const double accuracy =
                    bench.train(recipe, rate, recipe.decay, total, seed, {.first_batches = {}, .look = look}).accuracy;
                figures.push_back(accuracy);
                return figures;
              });
          if (!run) continue;
          for (std::size_t k = 0; k < moments.size(); ++k) {
            steep[k].push_back((*run)[2 * k]);
            wrong[k].push_back((*run)[2 * k + 1]);
          }
          accuracies.push_back(run->back());
        }
        if (std::ssize(accuracies) != bench.scale().seeds) continue;
        print("{}, lr {:.3g}, {}: accuracy {:.4f} ± {:.4f}", recipe.name, lr,
              with ? formatted("warm-up over {}", warm) : std::string("no warm-up"), mean(accuracies),
              standard_deviation(accuracies));
        print("  {:>8} {:>22} {:>16} {:>18}", "updates", "sharpness", "rate x sharpness", "moments' error");
        for (std::size_t k = 0; k < moments.size(); ++k) {
          const double now = rate(std::max<Step>(0, moments[k] - 1));
          print("  {:>8} {:>13.2f} ± {:>6.2f} {:>16.3f} {:>18.3f}", moments[k], mean(steep[k]),
                standard_deviation(steep[k]), now * mean(steep[k]), mean(wrong[k]));
        }
      }
    }
  }
}

}  // namespace temper::study
