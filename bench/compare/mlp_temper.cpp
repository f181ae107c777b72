// MLP 784-256-128-10 on random rows.

#include "bench/compare/temper_side.hpp"

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    using namespace temper;
    const nn::Sequential model(nn::Linear(784, 256), nn::ReLU(), nn::Linear(256, 128), nn::ReLU(), nn::Linear(128, 10));
    std::vector<Tensor> inputs;
    for (int s = 0; s < workload::input_sets; ++s) {
      inputs.push_back(empty({options.batch, 784}));
      const auto elements = inputs.back().mutable_values<float>();
      for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = workload::noise(workload::input_stream + s, i);
    }
    const auto n = static_cast<double>(options.batch);
    const double flops = workload::linear_flops(n, 784, 256, false) + workload::linear_flops(n, 256, 128) +
                         workload::linear_flops(n, 128, 10);
    workload::run_classifier(options, flops, model, inputs, 10);
  });
}
