// How many examples a second the Loader gives: loader-temper FOLDER SECONDS. Writes to the folder what both sides read.
// The other side is torch_side.py; a workload is the same there by the same name, and so is the sum of its first epoch.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <temper/data/batch_sampler.hpp>
#include <temper/data/records.hpp>
#include <temper/data/token_file.hpp>
#include <temper/io/records.hpp>
#include <temper/io/token_file.hpp>
#include <temper/temper.hpp>

#include "bench/machine.hpp"

using namespace temper;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t images = 20'000, side = 28, tokens = 4'000'000, context = 256, texts = 20'000;

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Image i has pixels (31 i + 17 j) % 256 / 255.
data::TensorDataset<2> image_tensors() {
  Tensor pixels = empty({images, side, side, 1});
  std::vector<std::int64_t> labels;
  float* pixel = pixels.mutable_data<float>();
  for (std::int64_t i = 0; i < images; ++i) {
    for (std::int64_t j = 0; j < side * side; ++j) *pixel++ = static_cast<float>((31 * i + 17 * j) % 256) / 255.0f;
    labels.push_back(i % 10);
  }
  return data::TensorDataset(pixels, from(labels, {images}));
}

/// An example that is computed when it is asked for: 64 numbers.
struct Computed {
  std::int64_t size() const { return images; }
  std::array<Tensor, 2> get(std::int64_t i) const {
    Tensor x = empty({64});
    float* out = x.mutable_data<float>();
    for (std::int64_t j = 0; j < 64; ++j) out[j] = static_cast<float>((i + j) % 100);
    return {x, scalar(static_cast<float>(i % 7))};
  }
};

/// Texts of 8 to 135 tokens, padded to the longest of a batch.
struct Texts {
  static std::int64_t length(std::int64_t i) { return 8 + (i * 7919) % 128; }
  std::int64_t size() const { return texts; }
  std::array<Tensor, 1> get(std::int64_t i) const { return batch(std::array{i}); }
  std::array<Tensor, 1> batch(std::span<const std::int64_t> numbers) const {
    std::int64_t longest = 0;
    for (const std::int64_t i : numbers) longest = std::max(longest, length(i));
    Tensor ids = zeros({std::ssize(numbers), longest}, Dtype::i64);
    std::int64_t* row = ids.mutable_data<std::int64_t>();
    for (const std::int64_t i : numbers) {
      for (std::int64_t j = 0; j < length(i); ++j) row[j] = (i + j) % 1000;
      row += longest;
    }
    return {ids};
  }
};

double sum_of(const Tensor& tensor) {
  double sum = 0;
  if (tensor.dtype() == Dtype::f32) {
    for (const float x : tensor.values<float>()) sum += static_cast<double>(x);
  } else {
    for (const std::int64_t x : tensor.values<std::int64_t>()) sum += static_cast<double>(x);
  }
  return sum;
}

class Report {
 public:
  explicit Report(double seconds) : seconds_(seconds) {}

  /// One epoch to warm up, and to sum what is in it; then epochs until the time is over.
  template <class D>
  void measure(const char* name, const D& dataset, data::LoaderOptions options) {
    for (const int workers : {0, 1, 2}) {
      options.workers = workers;
      options.seed = 1;
      data::Loader loader(dataset, options);
      double sum = 0;
      for (const auto& batch : loader) sum += sum_of(std::get<0>(batch));
      std::int64_t examples = 0;
      const auto begin = Clock::now();
      while (since(begin) < seconds_) {
        for (const auto& batch : loader) {
          examples += std::get<0>(batch).size(0);
          if (since(begin) >= seconds_) break;
        }
      }
      std::printf("%s{\"name\": \"%s\", \"workers\": %d, \"per_second\": %.1f, \"sum\": %.17g}", first_ ? "" : ",\n  ",
                  name, workers, static_cast<double>(examples) / since(begin), sum);
      first_ = false;
    }
  }

 private:
  double seconds_;
  bool first_ = true;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string folder = argv[1];
  set_threads(1);
  Report report(std::atof(argv[2]));
  {
    TokenFileWriter writer(folder + "/tokens.npy", {.vocab_size = 50'000});
    std::vector<std::int64_t> part(1000);
    for (std::int64_t begin = 0; begin < tokens; begin += 1000) {
      for (std::int64_t j = 0; j < 1000; ++j) part[static_cast<std::size_t>(j)] = (begin + j) % 50'000;
      writer.write(part);
    }
    writer.commit();
  }
  const auto pictures = image_tensors();
  save_records(folder + "/records", pictures);

  std::printf("{\"machine\": {");
  bool first = true;
  for (const auto& [name, value] : bench::machine()) {
    std::printf("%s\"%s\": \"%s\"", first ? "" : ", ", name.c_str(), value.c_str());
    first = false;
  }
  std::printf("},\n \"rows\": [\n  ");
  report.measure("images in memory", pictures, {.batch_size = 128, .shuffle = true});
  report.measure(
      "augmented images",
      data::Augmented(pictures, {data::RandomCrop{.padding = 4}, data::RandomHorizontalFlip{}, data::Cutout{8}}),
      {.batch_size = 128, .shuffle = true});
  report.measure("64 computed numbers", Computed{}, {.batch_size = 128, .shuffle = true});
  report.measure("256 tokens of a mapped file",
                 data::TextDataset(data::TokenFile(folder + "/tokens.npy"), {.length = context}),
                 {.batch_size = 32, .shuffle = true});
  report.measure("padded texts", Texts{}, {.batch_size = 32, .shuffle = true});
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < texts; ++i) lengths.push_back(Texts::length(i));
  report.measure("padded texts of similar length", Texts{},
                 {.batch_sampler = data::by_length(lengths, {.batch_size = 32})});
  report.measure("images in record files, shuffled", data::TensorRecords<2>(folder + "/records", {.shuffle = true}),
                 {.batch_size = 128});
  std::printf("]}\n");
}
