// The LibTorch twin of cnn_temper.cpp.

#include "bench/compare/torch_side.hpp"

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    using namespace torch;
    workload::set_threads();
    nn::Sequential model(nn::Conv2d(nn::Conv2dOptions(1, 32, 3).padding(1)), nn::ReLU(), nn::MaxPool2d(2),
                         nn::Conv2d(nn::Conv2dOptions(32, 64, 3).padding(1)), nn::ReLU(), nn::MaxPool2d(2),
                         nn::Flatten(), nn::Linear(64 * 7 * 7, 128), nn::ReLU(), nn::Linear(128, 10));
    std::vector<Tensor> inputs;
    for (int s = 0; s < workload::input_sets; ++s) {
      Tensor images = torch::empty({options.batch, 1, 28, 28});  // one channel: same memory as [N, 28, 28, 1]
      auto* elements = images.data_ptr<float>();
      for (long i = 0; i < images.numel(); ++i) elements[i] = workload::noise(workload::input_stream + s, i);
      inputs.push_back(options.channels_last ? images.contiguous(MemoryFormat::ChannelsLast) : images);
    }
    workload::run_classifier(options, 0, model, inputs, 10);
  });
}
