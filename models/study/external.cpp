#include "models/study/external.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numbers>
#include <optional>
#include <random>
#include <utility>

#include <temper/temper.hpp>

#include "models/study/documented.hpp"
#include "models/study/statistics.hpp"

namespace temper::study {

namespace {

/// The numbers of numpy.random.RandomState, with which DeepOBS draws its problem.
/// Source: Matsumoto, Nishimura, "Mersenne Twister" (1998); Marsaglia, Bray (1964) for the normal ones.
class RandomState {
 public:
  explicit RandomState(std::uint32_t seed) : bits_(seed) {}

  double uniform() {
    const double high = bits_() >> 5, low = bits_() >> 6;  // 27 and 26 bits
    return (high * 67108864.0 + low) / 9007199254740992.0;
  }
  double normal() {
    if (other_) return *std::exchange(other_, std::nullopt);
    double x, y, square;
    do {
      x = 2.0 * uniform() - 1.0;
      y = 2.0 * uniform() - 1.0;
      square = x * x + y * y;
    } while (square >= 1.0 || square == 0.0);
    const double factor = std::sqrt(-2.0 * std::log(square) / square);
    other_ = factor * x;
    return factor * y;
  }

 private:
  std::mt19937 bits_;
  std::optional<double> other_;
};

using Rows = std::vector<std::vector<double>>;

/// A rotation by the subgroup algorithm. Source: Diaconis, Shahshahani (1987).
Rows random_rotation(RandomState& random, std::size_t n) {
  const double angle = 2.0 * std::numbers::pi * random.uniform();
  Rows rotation = {{std::cos(angle), std::sin(angle)}, {-std::sin(angle), std::cos(angle)}};
  for (std::size_t d = 2; d < n; ++d) {
    std::vector<double> x(d + 1);
    const auto scale_to = [&x](double length) {
      double square = 0.0;
      for (const double value : x) square += value * value;
      for (double& value : x) value *= length / std::sqrt(square);
    };
    for (double& value : x) value = random.normal();
    scale_to(-1.0);
    x[0] += 1.0;
    scale_to(1.0);
    Rows next(d + 1, std::vector<double>(d + 1));
    next[0][0] = 1.0;
    for (std::size_t i = 0; i < d; ++i) std::ranges::copy(rotation[i], next[i + 1].begin() + 1);
    std::vector<double> along(d + 1);
    for (std::size_t i = 0; i <= d; ++i) {
      for (std::size_t j = 0; j <= d; ++j) along[j] += x[i] * next[i][j];
    }
    for (std::size_t i = 0; i <= d; ++i) {
      for (std::size_t j = 0; j <= d; ++j) next[i][j] -= 2.0 * x[i] * along[j];
    }
    rotation = std::move(next);
  }
  return rotation;  // the sign that the definition turns at the end cancels in R' D R
}

constexpr std::int64_t dimensions = 100, points = 1000, batch = 128;

Tensor draw_points(std::uint32_t seed) {
  RandomState random(seed);
  Tensor x = empty({points, dimensions});
  for (float& value : x.mutable_values<float>()) value = static_cast<float>(0.6 * random.normal());
  return x;
}

using Make = std::function<std::unique_ptr<optim::Optimizer>(const std::vector<Parameter>&)>;

template <class T, class Options>
Make make(const Options& options) {
  return [options](const std::vector<Parameter>& parameters) {
    return std::make_unique<T>(optim::Groups(parameters), options);
  };
}

// Rates that are too high are part of the checks, so runs that overflow go on without updates.
constexpr auto overflow = optim::NonFinite::skip;
Make sgd(double lr) { return make<optim::SGD>(optim::SGDOptions{.lr = lr, .nonfinite = overflow}); }
Make momentum(double lr) {
  return make<optim::SGD>(optim::SGDOptions{.lr = lr, .momentum = 0.99, .nonfinite = overflow});
}
Make adam(double lr) { return make<optim::Adam>(optim::AdamOptions{.lr = lr, .nonfinite = overflow}); }

/// The test losses of a run after each of `epochs` epochs.
std::vector<double> run_quadratic(const QuadraticDeep& problem, const Make& make, int epochs, std::uint64_t seed) {
  manual_seed(seed);
  Parameter theta(ones({dimensions}), Role::weight);
  const auto optimizer = make({theta});
  data::Loader loader(data::TensorDataset<1>(problem.train), {.batch_size = batch, .shuffle = true, .drop_last = true});
  std::vector<double> losses;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (const auto& [x] : loader) {
      Tape tape;
      tape.backward(problem.loss(theta, x));
      optimizer->step();
    }
    losses.push_back(problem.test_loss(theta.value()));
  }
  return losses;
}

Parameter drawn(Parameter weight) {
  weight.set_value(nn::truncated_normal(weight.shape(), {.deviation = 0.05f, .low = -0.1f, .high = 0.1f}));
  return weight;
}

/// DeepOBS's 2c2d.
nn::Sequential network_2c2d() {
  nn::Sequential model(nn::Conv2d(1, 32, {.kernel = 5, .padding = 2}), nn::ReLU(), nn::MaxPool2d(2),
                       nn::Conv2d(32, 64, {.kernel = 5, .padding = 2}), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                       nn::Linear(64 * 7 * 7, 1024), nn::ReLU(), nn::Linear(1024, 10));
  for (Parameter parameter : model.parameters()) {
    if (parameter.role() == Role::bias) {
      parameter.set_value(full(parameter.shape(), 0.05f));
    } else {
      drawn(parameter);
    }
  }
  return model;
}

/// The test accuracies of a run after each of `epochs` epochs, of which only a share of the batches is taken.
std::vector<double> run_2c2d(const ExternalSize& size, const Make& make, int epochs, std::uint64_t seed) {
  manual_seed(seed);
  const nn::Sequential model = network_2c2d();
  const auto optimizer = make(model.parameters());
  using data::FashionMnist, data::Split;
  data::Loader train(FashionMnist(Split::train, {.path = size.data}),
                     {.batch_size = batch, .shuffle = true, .drop_last = true});
  data::Loader test(FashionMnist(Split::test, {.path = size.data}), {.batch_size = batch, .drop_last = true});
  const auto batches = static_cast<std::int64_t>(std::ceil(size.share * static_cast<double>(train.batches())));
  std::vector<double> accuracies;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    std::int64_t done = 0;
    for (const auto& [images, labels] : train) {
      Tape tape;
      tape.backward(cross_entropy(model(images), labels));
      optimizer->step();
      if (++done == batches) break;
    }
    accuracies.push_back(accuracy(model, test));
  }
  return accuracies;
}

/// A published mean with its deviation, after an epoch.
struct Published {
  int epoch;
  double mean, deviation;  // 0: none was published
};

struct Case {
  std::string name;
  Make make;
  std::vector<Published> published;
};

using Run = std::function<std::vector<double>(const Make&, int epochs, std::uint64_t seed)>;

/// Compares means over seeds. Those without a deviation are shown and decide nothing.
void compare(std::vector<Comparison>& result, Records& records, const std::string& problem,
             const std::vector<Case>& cases, int epochs, int seeds, int digits, const Run& run) {
  for (const Case& each : cases) {
    std::vector<std::vector<double>> runs;
    for (int seed = 1; seed <= seeds; ++seed) {
      const auto figures = records.get(formatted("{}, {}, {} epochs, seed {}", problem, each.name, epochs, seed),
                                       [&] { return run(each.make, epochs, static_cast<std::uint64_t>(seed)); });
      if (figures) runs.push_back(*figures);
    }
    for (const Published& published : each.published) {
      if (published.epoch > epochs) continue;
      Comparison row{.what = formatted("{}, {}, epoch {}", problem, each.name, published.epoch),
                     .published = formatted("{:.{}f}", published.mean, digits),
                     .ours = "",
                     .difference = "",
                     .verdict = "-"};
      const bool decides = published.deviation > 0.0;
      if (decides) row.published += formatted(" ± {:.{}f}", published.deviation, digits);
      if (!runs.empty()) {
        std::vector<double> ours;
        for (const auto& figures : runs) ours.push_back(figures[static_cast<std::size_t>(published.epoch - 1)]);
        const double difference = mean(ours) - published.mean;
        row.ours = formatted("{:.{}f} ± {:.{}f}", mean(ours), digits, standard_deviation(ours), digits);
        row.difference = formatted("{:+.{}f}", difference, digits);
        if (decides) row.difference += formatted(" ({:+.1f} sd)", difference / published.deviation);
        if (decides && std::ssize(runs) == seeds) {
          row.verdict = std::abs(difference) <= 2.0 * published.deviation ? "holds" : "does not hold";
        }
      }
      result.push_back(row);
    }
  }
}

/// The last rate of DeepOBS's grid (five a decade) at which 2c2d is trained, and the first at which it is not.
void compare_borders(std::vector<Comparison>& result, Records& records, const ExternalSize& size, int epochs) {
  const auto at = [](int power) { return std::pow(10.0, 0.2 * power); };
  struct Border {
    const char* name;
    Make (*make)(double lr);
    int last, first;  // powers of 10^0.2
  };
  for (const Border& border :
       {Border{"SGD", sgd, -2, -1}, Border{"momentum 0.99", momentum, -7, -6}, Border{"Adam", adam, -8, -7}}) {
    for (const int power : {border.last, border.first}) {
      const double lr = at(power);
      const auto figures = records.get(formatted("2c2d's border, {} {:.3g}, {} epochs", border.name, lr, epochs),
                                       [&] { return run_2c2d(size, border.make(lr), epochs, 42); });
      const bool learns = power == border.last;
      Comparison row{.what = formatted("fmnist_2c2d, {} {:.3g}", border.name, lr),
                     .published = learns ? "learns" : "dies",
                     .ours = "",
                     .difference = "",
                     .verdict = "-"};
      if (figures) {
        // A network that guesses is right in one image of ten.
        const bool ours = figures->back() > 0.2;
        row.ours = formatted("{} ({:.4f} after {})", ours ? "learns" : "dies", figures->back(), epochs);
        row.verdict = ours == learns ? "holds" : "does not hold";
      }
      result.push_back(row);
    }
  }
}

}  // namespace

QuadraticDeep::QuadraticDeep()
    : hessian(empty({dimensions, dimensions})), train(draw_points(42)), test(draw_points(43)) {
  RandomState random(42);
  std::vector<double> eigenvalues(dimensions);
  for (std::size_t i = 0; i < 90; ++i) eigenvalues[i] = random.uniform();
  for (std::size_t i = 90; i < 100; ++i) eigenvalues[i] = 30.0 + 30.0 * random.uniform();
  const Rows rotation = random_rotation(random, dimensions);
  float* h = hessian.mutable_data<float>();
  for (std::size_t i = 0; i < dimensions; ++i) {
    for (std::size_t j = 0; j < dimensions; ++j) {
      double sum = 0.0;
      for (std::size_t k = 0; k < dimensions; ++k) sum += rotation[k][i] * eigenvalues[k] * rotation[k][j];
      *h++ = static_cast<float>(sum);
    }
  }
}

Tensor QuadraticDeep::loss(const Tensor& theta, const Tensor& x) const {
  const Tensor away = theta - x;
  return 0.5f * mean(sum(away * matmul(away, hessian), 1));
}

double QuadraticDeep::test_loss(const Tensor& theta) const {
  const NoTape unrecorded;
  return loss(theta, test.rows(0, points / batch * batch)).item();
}

std::vector<Comparison> check_external(Records& records, const ExternalSize& size) {
  std::vector<Comparison> result = check_documented();
  const QuadraticDeep problem;
  const double start = problem.test_loss(ones({dimensions}));
  result.push_back({.what = "quadratic_deep, before training",
                    .published = "353.4468",
                    .ours = formatted("{:.4f}", start),
                    .difference = formatted("{:+.4f}", start - 353.4468),
                    .verdict = std::abs(start - 353.4468) < 1e-3 ? "holds" : "does not hold"});
  const auto scaled = [&](int full) { return std::max(1, static_cast<int>(std::lround(size.share * full))); };
  compare(result, records, "quadratic_deep",
          {{"SGD 0.01585", sgd(std::pow(10.0, -1.8)), {{1, 105.33, 0.0}, {100, 87.398, 0.169}}},
           {"momentum 0.99, 0.002512", momentum(std::pow(10.0, -2.6)), {{1, 271.16, 0.0}, {100, 87.045, 0.025}}},
           {"Adam 0.0398", adam(std::pow(10.0, -1.4)), {{1, 141.82, 0.0}, {10, 94.73, 0.0}, {100, 87.112, 0.024}}}},
          size.share < 1.0 ? 10 : 100, scaled(10), 3,
          [&](const Make& make, int epochs, std::uint64_t seed) { return run_quadratic(problem, make, epochs, seed); });
  compare(result, records, "fmnist_2c2d",
          {{"SGD 0.1585", sgd(std::pow(10.0, -0.8)), {{1, 0.8545, 0.0118}, {5, 0.8956, 0.0068}}},
           {"momentum 0.99, 0.002512", momentum(std::pow(10.0, -2.6)), {{1, 0.8517, 0.0084}, {5, 0.8988, 0.0062}}},
           {"Adam 2.512e-4", adam(std::pow(10.0, -3.6)), {{1, 0.8526, 0.0057}, {5, 0.8967, 0.0037}}}},
          scaled(5), scaled(3), 4,
          [&](const Make& make, int epochs, std::uint64_t seed) { return run_2c2d(size, make, epochs, seed); });
  compare_borders(result, records, size, scaled(3));
  return result;
}

std::string table(const std::vector<Comparison>& comparisons) {
  std::string text = "| | published | ours | difference | |\n|---|--:|--:|--:|---|\n";
  for (const Comparison& row : comparisons) {
    text += formatted("| {} | {} | {} | {} | {} |\n", row.what, row.published, row.ours, row.difference, row.verdict);
  }
  return text;
}

}  // namespace temper::study
