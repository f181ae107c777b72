// The small convolutional network of models/cnn on random images [N, 28, 28, 1].

#include <temper/models/cnn/cnn.hpp>

#include "bench/compare/temper_side.hpp"

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    using namespace temper;
    const nn::Sequential model = models::cnn();
    std::vector<Tensor> inputs;
    for (int s = 0; s < workload::input_sets; ++s) {
      inputs.push_back(empty({options.batch, 28, 28, 1}));
      const auto elements = inputs.back().mutable_values<float>();
      for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = workload::noise(workload::input_stream + s, i);
    }
    const auto n = static_cast<double>(options.batch);
    const double flops = workload::conv_flops(n, 28 * 28, 1, 32, 9, false) +
                         workload::conv_flops(n, 14 * 14, 32, 64, 9) + workload::linear_flops(n, 64 * 7 * 7, 128) +
                         workload::linear_flops(n, 128, 10);
    workload::run_classifier(options, flops, model, inputs, 10);
  });
}
