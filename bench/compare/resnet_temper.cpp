// ResNet-20 on random images [N, 32, 32, 3]: 3 x 3 convolutions with batch norm, in three stages of three blocks.

#include "bench/compare/temper_side.hpp"

namespace {

using namespace temper;

nn::Conv2d conv(std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t kernel = 3) {
  return nn::Conv2d(in, out, {.kernel = kernel, .stride = stride, .padding = kernel / 2, .bias = false});
}

class Block : public nn::Layer {
 public:
  Block(std::int64_t in, std::int64_t out, std::int64_t stride)
      : conv1_(conv(in, out, stride)), norm1_(out), conv2_(conv(out, out, 1)), norm2_(out) {
    if (in == out) return;
    shortcut_.add(conv(in, out, stride, 1));
    shortcut_.add(nn::BatchNorm2d(out));
  }
  void members(nn::Members& m) const override {
    m("conv1", conv1_);
    m("norm1", norm1_);
    m("conv2", conv2_);
    m("norm2", norm2_);
    m("shortcut", shortcut_);
  }

 protected:
  Tensor forward(const Tensor& x) const override {
    return norm2_.relu(conv2_(norm1_.relu(conv1_(x))), shortcut_.size() > 0 ? shortcut_(x) : x);
  }

 private:
  nn::Conv2d conv1_;
  nn::BatchNorm2d norm1_;
  nn::Conv2d conv2_;
  nn::BatchNorm2d norm2_;
  nn::Sequential shortcut_;
};

nn::Sequential resnet20() {
  nn::Sequential model(conv(3, 16, 1), nn::BatchNorm2d(16), nn::ReLU());
  std::int64_t in = 16;
  for (const std::int64_t out : {16, 32, 64}) {
    for (int i = 0; i < 3; ++i, in = out) model.add(Block(in, out, in == out ? 1 : 2));
  }
  model.add(nn::GlobalAvgPool2d());
  model.add(nn::Linear(64, 10));
  return model;
}

double flops(double n) {
  const auto stage = [n](double pixels, double width) { return workload::conv_flops(n, pixels, width, width, 9); };
  return workload::conv_flops(n, 1024, 3, 16, 9, false) + 6 * stage(1024, 16) + 5 * stage(256, 32) + 5 * stage(64, 64) +
         workload::conv_flops(n, 256, 16, 32, 10) + workload::conv_flops(n, 64, 32, 64, 10) +
         workload::linear_flops(n, 64, 10);
}

}  // namespace

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    const nn::Sequential model = resnet20();
    std::vector<Tensor> inputs;
    const std::int64_t pixels = 32 * 32;
    for (int s = 0; s < workload::input_sets; ++s) {
      inputs.push_back(empty({options.batch, 32, 32, 3}));
      const auto elements = inputs.back().mutable_values<float>();
      for (std::size_t i = 0; i < elements.size(); ++i) {  // LibTorch's side fills [N, C, H, W]
        const auto pixel = static_cast<std::int64_t>(i) / 3, channel = static_cast<std::int64_t>(i) % 3;
        const std::int64_t nchw_index = pixel / pixels * pixels * 3 + channel * pixels + pixel % pixels;
        elements[i] = workload::noise(workload::input_stream + s, static_cast<std::uint64_t>(nchw_index));
      }
    }
    workload::run_classifier(options, flops(static_cast<double>(options.batch)), model, inputs, 10);
  });
}
