#include <temper/models/cnn/cnn.hpp>

#include <temper/nn/layers.hpp>

namespace temper::models {

nn::Sequential cnn(const CnnConfig& config) {
  const std::int64_t side = config.size / 4;
  return nn::Sequential(nn::Conv2d(config.channels, config.width1, {.kernel = 3, .padding = 1}), nn::ReLU(),
                        nn::MaxPool2d(2), nn::Conv2d(config.width1, config.width2, {.kernel = 3, .padding = 1}),
                        nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                        nn::Linear(config.width2 * side * side, config.hidden), nn::ReLU(),
                        nn::Linear(config.hidden, config.classes));
}

}  // namespace temper::models
