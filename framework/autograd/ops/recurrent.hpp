#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

enum class RecurrentCell {
  lstm,  ///< gates i, f, g, o. Source: Hochreiter, Schmidhuber, "Long short-term memory" (1997)
  gru,   ///< gates r, z, n, with r applied after the product, as in PyTorch and cuDNN. Source: Cho et al. (2014)
  tanh,
  relu
};

struct RecurrentInputs {
  Tensor gates;      ///< [T, N, G]: the inputs' part of the gates, x W_ih^T + b_ih
  Tensor weight_hh;  ///< [G, H], with G = 4 H for an LSTM, 3 H for a GRU, H else
  Tensor bias_hh = {};
  Tensor h0 = {}, c0 = {};  ///< [N, H], zeros when undefined; c0 of an LSTM alone
  Tensor lengths = {};      ///< [N] i64: later steps of an example do not change its state, and give 0
};

struct RecurrentOutputs {
  Tensor y;     ///< [T, N, H], the state after each step
  Tensor h, c;  ///< [N, H], the last state of each example; c of an LSTM alone
};

/// One direction of one recurrent layer, all f32: nn::LSTM, nn::GRU and nn::RNN are made of it. With `reverse`, steps
/// run from each example's own last step to the first. Throws: ShapeError when the shapes or the
/// dtypes do not fit; ValueError for a length outside 0 to T.
RecurrentOutputs recurrent(RecurrentCell cell, const RecurrentInputs& inputs, bool reverse = false);

}  // namespace temper
