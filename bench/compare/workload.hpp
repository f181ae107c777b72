#pragma once

// What both sides of a comparison share: the values of inputs and weights, the loop that times a step, and the line of
// JSON it prints. Includes neither library, and is C++17 for LibTorch's side.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace workload {

struct Options {
  long batch = 64;
  int check = 8;               // steps whose losses are compared
  double warmup = 0.5;         // seconds before anything is timed
  double seconds = 2.0;        // of timed steps
  bool channels_last = false;  // of LibTorch
  bool recompute = false;      // of Temper's GPT: recompute the blocks in backward
  bool bf16 = false;           // of Temper
  // Sizes of the transformers.
  long layers = 0, width = 0, heads = 0, vocabulary = 0, context = 0;
};

inline Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--channels-last") {
      options.channels_last = true;
      continue;
    }
    if (name == "--recompute") {
      options.recompute = true;
      continue;
    }
    if (i + 1 == argc) throw std::invalid_argument("unknown option, or one without a value: " + name);
    const std::string value = argv[++i];
    const std::pair<const char*, long*> sizes[] = {
        {"--batch", &options.batch}, {"--layers", &options.layers},         {"--width", &options.width},
        {"--heads", &options.heads}, {"--vocabulary", &options.vocabulary}, {"--context", &options.context}};
    const auto size = std::find_if(std::begin(sizes), std::end(sizes), [&](const auto& s) { return name == s.first; });
    if (size != std::end(sizes)) {
      *size->second = std::stol(value);
    } else if (name == "--dtype" && (value == "f32" || value == "bf16")) {
      options.bf16 = value == "bf16";
    } else if (name == "--check") {
      options.check = std::stoi(value);
    } else if (name == "--warmup") {
      options.warmup = std::stod(value);
    } else if (name == "--seconds") {
      options.seconds = std::stod(value);
    } else {
      throw std::invalid_argument("unknown option " + name);
    }
  }
  return options;
}

/// 24 random bits: number `i` of a stream. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators"
/// (2014).
inline std::uint32_t bits(std::uint64_t stream, std::uint64_t i) {
  std::uint64_t z = (stream << 40) + i + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<std::uint32_t>((z ^ (z >> 31)) >> 40);
}

/// A random number in [-scale, scale), the same on every machine.
inline float noise(std::uint64_t stream, std::uint64_t i, float scale = 1.0f) {
  return (static_cast<float>(bits(stream, i)) * 0x1p-23f - 1.0f) * scale;
}

inline long label(std::uint64_t stream, std::uint64_t i, long classes) {
  return static_cast<long>(bits(stream, i) % static_cast<std::uint32_t>(classes));
}

// Streams from 0 on are for parameters, from these on for inputs and labels. There are more sets of labels than of
// inputs, so that the model cannot learn: gradients then never shrink to denormals, which would slow the arithmetic.
inline constexpr std::uint64_t input_stream = 1000, label_stream = 2000;
inline constexpr int input_sets = 8, label_sets = 101;

/// A label for about `labelled` of 20 indices i, and -100, which the loss ignores, for the others.
inline long masked_label(int set, std::uint64_t i, long classes, long labelled) {
  const std::uint64_t stream = label_stream + static_cast<std::uint64_t>(set);
  return label(stream + label_sets, i, 20) < labelled ? label(stream, i, classes) : -100;
}

/// Facts about a side: {"threads", "2"}.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// Calls step(i) for i = 0, 1, 2, ..., which does a whole training step and returns its loss as a tensor; value() turns
/// that into a number. Prints one line of JSON. `flops` is the model's number of floating-point operations per step.
template <class Step, class Value>
void run(const Options& options, double flops, const Facts& facts, Step step, Value value) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  long i = 0;
  std::string losses;
  for (; i < options.check; ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "%s%.9g", i == 0 ? "" : ", ", static_cast<double>(value(step(i))));
    losses += text;
  }
  for (const auto start = Clock::now(); since(start) < options.warmup; ++i) step(i);

  std::vector<double> times;
  times.reserve(1 << 16);
  const std::clock_t cpu_start = std::clock();
  for (const auto start = Clock::now(); times.size() < 5 || since(start) < options.seconds; ++i) {
    const auto begin = Clock::now();
    step(i);
    times.push_back(since(begin) * 1e3);
  }
  // CPU time of all threads, including spinning: not a measure of speed, but less sensitive to other load than the
  // time.
  const double cpu_ms = double(std::clock() - cpu_start) * 1e3 / CLOCKS_PER_SEC / double(times.size());
  std::sort(times.begin(), times.end());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto quantile = [&](double q) { return times[static_cast<std::size_t>(q * double(times.size() - 1))]; };
  std::printf(
      "{\"losses\": [%s], \"steps\": %zu, \"median_ms\": %.6g, \"best_ms\": %.6g, \"p90_ms\": %.6g, "
      "\"cpu_ms\": %.6g, ",
      losses.c_str(), times.size(), quantile(0.5), times.front(), quantile(0.9), cpu_ms);
  std::printf("\"flops\": %.6g, \"peak_mb\": %.1f, \"facts\": {", flops, double(usage.ru_maxrss) / 1024);
  for (std::size_t f = 0; f < facts.size(); ++f) {
    std::printf("%s\"%s\": \"%s\"", f == 0 ? "" : ", ", facts[f].first.c_str(), facts[f].second.c_str());
  }
  std::printf("}}\n");
}

/// Runs `body(options)`; an exception becomes a message and an exit code.
template <class Body>
int guarded(int argc, char** argv, Body body) {
  try {
    body(parse(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

// Floating-point operations of a training step: a multiplication and an addition per term of the products in forward,
// of the gradient of the weights, and of the gradient of the input where it is needed.

inline double linear_flops(double rows, double in, double out, bool input_gradient = true) {
  return 2 * rows * in * out * (input_gradient ? 3 : 2);
}
/// Blocks with linear layers of width and 4 * width, and a head over the vocabulary. Of causal attention, only the half
/// of the scores that is visible counts.
inline double transformer_flops(const Options& o, bool causal) {
  const double rows = double(o.batch) * double(o.context), width = double(o.width);
  const double attention = 2 * linear_flops(rows, double(o.context) * (causal ? 0.5 : 1.0), width);
  return double(o.layers) * (12 * linear_flops(rows, width, width) + attention) +
         linear_flops(rows, width, double(o.vocabulary));
}
inline double conv_flops(double batch, double pixels, double in, double out, double taps, bool input_gradient = true) {
  return linear_flops(batch * pixels, in * taps, out, input_gradient);
}

}  // namespace workload
