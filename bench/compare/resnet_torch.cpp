// The LibTorch twin of resnet_temper.cpp.

#include "bench/compare/torch_side.hpp"

namespace {

using namespace torch;

nn::Conv2d conv(long in, long out, long stride, long kernel = 3) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

struct BlockImpl : nn::Module {
  BlockImpl(long in, long out, long stride) {
    conv1 = register_module("conv1", conv(in, out, stride));
    norm1 = register_module("norm1", nn::BatchNorm2d(out));
    conv2 = register_module("conv2", conv(out, out, 1));
    norm2 = register_module("norm2", nn::BatchNorm2d(out));
    if (in != out) {
      shortcut = register_module("shortcut", nn::Sequential(conv(in, out, stride, 1), nn::BatchNorm2d(out)));
    }
  }
  Tensor forward(const Tensor& x) {
    Tensor y = norm2(conv2(norm1(conv1(x)).relu_()));
    y += shortcut ? shortcut->forward(x) : x;
    return y.relu_();
  }
  nn::Conv2d conv1{nullptr}, conv2{nullptr};
  nn::BatchNorm2d norm1{nullptr}, norm2{nullptr};
  nn::Sequential shortcut{nullptr};
};
TORCH_MODULE(Block);

}  // namespace

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    workload::set_threads();
    nn::Sequential model(conv(3, 16, 1), nn::BatchNorm2d(16), nn::ReLU(nn::ReLUOptions().inplace(true)));
    long in = 16;
    for (const long out : {16, 32, 64}) {
      for (int i = 0; i < 3; ++i, in = out) model->push_back(Block(in, out, in == out ? 1 : 2));
    }
    model->push_back(nn::AdaptiveAvgPool2d(1));
    model->push_back(nn::Flatten());
    model->push_back(nn::Linear(64, 10));
    std::vector<Tensor> inputs;
    for (int s = 0; s < workload::input_sets; ++s) {
      Tensor images = torch::empty({options.batch, 3, 32, 32});
      auto* elements = images.data_ptr<float>();
      for (long i = 0; i < images.numel(); ++i) elements[i] = workload::noise(workload::input_stream + s, i);
      inputs.push_back(options.channels_last ? images.contiguous(MemoryFormat::ChannelsLast) : images);
    }
    workload::run_classifier(options, 0, model, inputs, 10);
  });
}
