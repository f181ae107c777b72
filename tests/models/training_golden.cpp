// Compares 20 training steps of the MLP and the CNN with those recorded from PyTorch in float64.

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <temper/models/cnn/cnn.hpp>
#include <temper/models/mlp/mlp.hpp>
#include <temper/temper.hpp>

using namespace temper;

namespace {

constexpr std::int64_t steps = 20, batch = 32, pixels = 28 * 28, classes = 10;
// The streams of tests/golden/record_training.py; parameter i has stream i.
constexpr std::uint64_t images_stream = 1000, patterns_stream = 2000, labels_stream = 3000, samples_stream = 4000;

/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014), the finalizer.
std::uint64_t mixed(std::uint64_t stream, std::int64_t i) {
  std::uint64_t z = ((stream << 32) + static_cast<std::uint64_t>(i) + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

double unit(std::uint64_t stream, std::int64_t i) { return static_cast<double>(mixed(stream, i) >> 40) * 0x1p-24; }

void initialize(const std::vector<Parameter>& parameters) {
  double bound = 0;
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    Tensor value = parameters[k].value();
    // A bias has the same bound as its weight, which is the parameter before it.
    if (value.rank() > 1) bound = 1 / std::sqrt(static_cast<double>(value.shape().without_axis(0).numel()));
    std::int64_t i = 0;
    for (float& element : value.mutable_values<float>()) element = static_cast<float>((2 * unit(k, i++) - 1) * bound);
  }
}

std::pair<Tensor, Tensor> make_batch(std::uint64_t step) {
  Tensor images = empty({batch, 28, 28, 1}), labels = empty({batch}, Dtype::i64);
  float* image = images.mutable_data<float>();
  std::int64_t* label = labels.mutable_data<std::int64_t>();
  for (std::int64_t n = 0; n < batch; ++n) {
    label[n] = static_cast<std::int64_t>(mixed(labels_stream + step, n) % classes);
    const std::uint64_t pattern = patterns_stream + static_cast<std::uint64_t>(label[n]);
    for (std::int64_t i = 0; i < pixels; ++i) {
      const double noise = unit(images_stream + step, n * pixels + i);
      image[n * pixels + i] = static_cast<float>(0.5 * noise + 1.5 * unit(pattern, i) - 1);
    }
  }
  return {images, labels};
}

void train_as_recorded(const nn::Sequential& model, const char* name) {
  std::ifstream file(TEMPER_TEST_DIR "/golden/training.json");
  const nlohmann::json recorded = nlohmann::json::parse(file)[name];
  const std::vector<Parameter> parameters = model.parameters();
  initialize(parameters);
  optim::AdamW adamw(
      parameters,
      {.lr = 1e-3 * optim::warmup(5).then(optim::linear_decay(steps - 5)), .weight_decay = 0.01, .clip_norm = 1.0});

  for (std::size_t step = 0; step < steps; ++step) {
    CAPTURE(step);
    const auto [images, labels] = make_batch(step);
    Tape tape;
    const Tensor loss = cross_entropy(model(images), labels);
    tape.backward(loss);
    const optim::StepReport report = adamw.step();
    const double expected = recorded["losses"][step], norm = recorded["gradient_norms"][step];
    CHECK(std::abs(loss.item() - expected) <= 1e-5 * expected);
    CHECK(std::abs(report.grad_norm - norm) <= 1e-5 * norm);
  }

  // Training changes weights by up to 0.01. Rounding errors are below 1e-7, unless rounding decides which of two nearly
  // equal activations is the maximum of a pooling window: up to 2e-6, with oneDNN's kernels for older processors.
  REQUIRE(recorded["samples"].size() == parameters.size());
  for (std::size_t k = 0; k < parameters.size(); ++k) {
    CAPTURE(parameters[k].name());
    const std::vector<double> samples = recorded["samples"][k];
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::uint64_t place = mixed(samples_stream + k, static_cast<std::int64_t>(i)) %
                                  static_cast<std::uint64_t>(parameters[k].value().numel());
      CHECK(std::abs(parameters[k].value().data<float>()[place] - samples[i]) <= 1e-5);
    }
  }
}

}  // namespace

TEST_CASE("the MLP trains as in PyTorch") { train_as_recorded(models::mlp(), "mlp"); }
TEST_CASE("the CNN trains as in PyTorch") { train_as_recorded(models::cnn(), "cnn"); }
