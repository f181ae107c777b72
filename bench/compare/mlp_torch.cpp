// The LibTorch twin of mlp_temper.cpp.

#include "bench/compare/torch_side.hpp"

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    using namespace torch;
    workload::set_threads();
    nn::Sequential model(nn::Linear(784, 256), nn::ReLU(), nn::Linear(256, 128), nn::ReLU(), nn::Linear(128, 10));
    std::vector<Tensor> inputs;
    for (int s = 0; s < workload::input_sets; ++s) {
      inputs.push_back(torch::empty({options.batch, 784}));
      auto* elements = inputs.back().data_ptr<float>();
      for (long i = 0; i < inputs.back().numel(); ++i) {
        elements[i] = workload::noise(workload::input_stream + s, i);
      }
    }
    workload::run_classifier(options, 0, model, inputs, 10);
  });
}
