// Times a step, forward and backward, of one layer for every size along an axis, with one thread and with all:
//
//     cliffs OPERATION AXIS LAST STEP MILLISECONDS
//
// OPERATION is linear, conv, attention, lstm or layer_norm, AXIS is batch, width, channels or length. Prints JSON.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

#include <temper/temper.hpp>

#include "bench/machine.hpp"

namespace temper::bench {

namespace {

struct Sizes {
  std::int64_t batch, width;  // channels and lengths are widths, too
};

/// A step, and the floating-point operations of its forward.
struct Step {
  std::function<Tensor()> forward;
  double flops;
  std::vector<Parameter> parameters = {};
};

template <class Layer>
Step of_layer(Layer layer, const Tensor& x, double flops) {
  const auto shared = std::make_shared<Layer>(std::move(layer));
  return {[shared, x] { return (*shared)(x); }, flops, shared->parameters()};
}

Step linear_step(const Sizes& s) {
  const auto n = static_cast<double>(s.batch), w = static_cast<double>(s.width);
  return of_layer(nn::Linear(s.width, s.width), normal({s.batch, s.width}), 2 * n * w * w);
}

Step conv_step(const Sizes& s) {
  const double taps = 9, pixels = 16 * 16, n = static_cast<double>(s.batch), c = static_cast<double>(s.width);
  return of_layer(nn::Conv2d(s.width, s.width, {.kernel = 3, .padding = 1}), normal({s.batch, 16, 16, s.width}),
                  2 * n * pixels * taps * c * c);
}

Step attention_step(const Sizes& s) {
  constexpr std::int64_t heads = 4, size = 32;
  const Parameter q(normal({s.batch, heads, s.width, size}), Role::weight);
  const Tensor k = normal(q.shape()), v = normal(q.shape());
  const double n = static_cast<double>(s.batch * heads), t = static_cast<double>(s.width);
  return {[=] { return scaled_dot_product_attention(q, k, v); }, 4 * n * t * t * static_cast<double>(size), {q}};
}

Step lstm_step(const Sizes& s) {
  constexpr std::int64_t steps = 8;
  const auto layer = std::make_shared<nn::LSTM>(s.width, s.width);
  const Tensor x = normal({s.batch, steps, s.width});
  const double n = static_cast<double>(s.batch * steps), w = static_cast<double>(s.width);
  return {[layer, x] { return (*layer)(x).y; }, 16 * n * w * w, layer->parameters()};
}

Step layer_norm_step(const Sizes& s) {
  return of_layer(nn::LayerNorm(s.width), normal({s.batch, s.width}), 8 * static_cast<double>(s.batch * s.width));
}

Step step_of(const std::string& operation, const Sizes& sizes) {
  if (operation == "linear") return linear_step(sizes);
  if (operation == "conv") return conv_step(sizes);
  if (operation == "attention") return attention_step(sizes);
  if (operation == "lstm") return lstm_step(sizes);
  if (operation == "layer_norm") return layer_norm_step(sizes);
  throw ValueError("there is no operation " + operation);
}

/// Milliseconds of a step: the best of three averages, each over at least `budget` milliseconds.
double time_of(const Step& step, double budget) {
  using Clock = std::chrono::steady_clock;
  const auto once = [&step] {
    Tape tape;
    tape.backward(sum(step.forward()));
    discard_gradients(step.parameters);
  };
  once();  // compiles what is compiled
  once();
  double best = 1e30;
  for (int round = 0; round < 3; ++round) {
    const auto begin = Clock::now();
    double spent = 0;
    int count = 0;
    do {
      once();
      ++count;
      spent = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    } while (spent < budget);
    best = std::min(best, spent / count);
  }
  return best;
}

int run(const std::string& operation, const std::string& axis, std::int64_t last, std::int64_t step, double budget) {
  const int all = threads();
  fmt::print("{{\"operation\": \"{}\", \"axis\": \"{}\"", operation, axis);
  for (const auto& [name, value] : machine()) fmt::print(", \"{}\": \"{}\"", name, value);
  fmt::print(", \"points\": [");
  for (std::int64_t value = 1; value <= last; value += step) {
    const Sizes sizes = axis == "batch" ? Sizes{value, operation == "conv"        ? 16
                                                       : operation == "attention" ? 32
                                                                                  : 64}
                                        : Sizes{operation == "conv" || operation == "attention" ? 2 : 32, value};
    const Step one = step_of(operation, sizes);
    set_threads(1);
    const double alone = time_of(one, budget);
    set_threads(all);
    const double together = all == 1 ? alone : time_of(one, budget);
    fmt::print("{}{{\"value\": {}, \"flops\": {}, \"one_ms\": {:.6g}, \"all_ms\": {:.6g}}}", value == 1 ? "" : ", ",
               value, 3 * one.flops, alone, together);
  }
  fmt::print("]}}\n");
  return 0;
}

}  // namespace

}  // namespace temper::bench

int main(int count, char** arguments) {
  if (count != 6) {
    fmt::print(stderr, "usage: cliffs OPERATION AXIS LAST STEP MILLISECONDS\n");
    return 2;
  }
  return temper::bench::run(arguments[1], arguments[2], std::stoll(arguments[3]), std::stoll(arguments[4]),
                            std::stod(arguments[5]));
}
