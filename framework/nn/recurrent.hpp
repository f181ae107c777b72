#pragma once

#include <string>
#include <vector>

#include <temper/autograd/ops/recurrent.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

struct RecurrentOptions {
  std::int64_t layers = 1;
  bool bias = true;
  double dropout = 0.0;  ///< dropout probability between layers, in training
  bool bidirectional = false;
};

/// Initial state of a recurrent network, zeros where undefined, and the lengths of the sequences.
struct RecurrentState {
  Tensor h = {};        ///< [layers * directions, N, H]
  Tensor c = {};        ///< the same shape, for an LSTM
  Tensor lengths = {};  ///< [N] i64: number of steps of each example, by default T; outputs beyond are 0
};

struct RecurrentResult {
  Tensor y;     ///< [N, T, H * directions] of the last layer, forward direction first
  Tensor h, c;  ///< [layers * directions, N, H], the state after each example's last step; c for an LSTM only
};

/// Base of nn::LSTM, nn::GRU and nn::RNN. Parameters weight_ih_l0 [G, in], weight_hh_l0 [G, H], bias_ih_l0 and
/// bias_hh_l0 [G], with l1, ... for further layers and the suffix "_reverse" for the backward direction, as in PyTorch.
class RecurrentNetwork : public Module {
 public:
  void members(Members& members) const override;
  std::string description() const override;

  /// x [N, T, in], examples first (PyTorch's batch_first). Throws: ShapeError when the shapes do not fit; ValueError
  /// for a length outside 0 to T.
  RecurrentResult operator()(const Tensor& x, const RecurrentState& state = {}) const;

 protected:
  /// Throws: ValueError unless sizes and layers are positive and dropout is from 0 to below 1.
  RecurrentNetwork(const char* name, RecurrentCell cell, std::int64_t in, std::int64_t hidden,
                   RecurrentOptions options);

 private:
  struct Direction {
    Parameter weight_ih, weight_hh, bias_ih, bias_hh;
  };
  RecurrentOutputs run(const Tensor& x, std::size_t direction, const RecurrentState& state) const;

  const char* name_;
  RecurrentCell cell_;
  std::int64_t in_, hidden_;
  RecurrentOptions options_;
  std::vector<Direction> directions_;  // layer by layer, in each the forward direction first
};

/// Long short-term memory. Source: Hochreiter, Schmidhuber, "Long short-term memory" (1997).
class LSTM : public RecurrentNetwork {
 public:
  LSTM(std::int64_t in, std::int64_t hidden, RecurrentOptions options = {})
      : RecurrentNetwork("LSTM", RecurrentCell::lstm, in, hidden, options) {}
};

/// Gated recurrent units. Source: Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014).
class GRU : public RecurrentNetwork {
 public:
  GRU(std::int64_t in, std::int64_t hidden, RecurrentOptions options = {})
      : RecurrentNetwork("GRU", RecurrentCell::gru, in, hidden, options) {}
};

enum class RnnFunction { tanh, relu };

/// A plain recurrent network. Source: Elman, "Finding structure in time" (1990).
class RNN : public RecurrentNetwork {
 public:
  RNN(std::int64_t in, std::int64_t hidden, RecurrentOptions options = {}, RnnFunction function = RnnFunction::tanh)
      : RecurrentNetwork("RNN", function == RnnFunction::tanh ? RecurrentCell::tanh : RecurrentCell::relu, in, hidden,
                         options) {}
};

}  // namespace temper::nn
