#include <temper/models/mlp/mlp.hpp>

#include <temper/nn/layers.hpp>

namespace temper::models {

nn::Sequential mlp(const MlpConfig& config) {
  return nn::Sequential(nn::Flatten(),                                           // [N, inputs]
                        nn::Linear(config.inputs, config.hidden1), nn::ReLU(),   // [N, hidden1]
                        nn::Linear(config.hidden1, config.hidden2), nn::ReLU(),  // [N, hidden2]
                        nn::Linear(config.hidden2, config.classes));             // [N, classes] logits
}

}  // namespace temper::models
