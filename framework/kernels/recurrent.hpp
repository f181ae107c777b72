#pragma once

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// The cell of a recurrent layer. Gates are stored in PyTorch's order: i, f, g, o of an LSTM; r, z, n of a GRU; a
/// single one of a plain layer.
enum class Cell { lstm, gru, tanh, relu };
constexpr Index gates_of(Cell cell) { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }

struct Recurrent {
  Cell cell = Cell::lstm;
  Index steps = 0, batch = 0, hidden = 1;
  bool reverse = false;
  const std::int64_t* lengths = nullptr;  ///< [batch]: later steps of an example are skipped; null for all steps

  Index gate_width() const { return gates_of(cell) * hidden; }
  Index state() const { return batch * hidden; }
};

/// Kept by the forward for the backward, each [steps, batch, ...], in the order of time.
struct RecurrentTrace {
  float* gates = nullptr;          ///< [gate_width], after their activation functions
  float* hidden_before = nullptr;  ///< [hidden], the state before each step
  float* cell_before = nullptr;    ///< [hidden], of an LSTM
  float* candidate = nullptr;      ///< [hidden], of a GRU: the state's part of n, which r is multiplied by
};

/// Runs a recurrent layer in one direction, in float. input [steps, batch, gate_width] is the inputs' part of the
/// gates; weight [gate_width, hidden] and bias [gate_width], which may be null, make the state's part. h and c [batch,
/// hidden] are the first state, and become the last one; c is for an LSTM only. y [steps, batch, hidden] is the state
/// after each step, 0 where a step is skipped.
void recurrent(const Recurrent& task, const float* input, const float* weight, const float* bias, float* h, float* c,
               float* y, const RecurrentTrace& trace);

/// dh and dc [batch, hidden] are the gradients of the last state, and become those of the first one. Writes dinput, and
/// dstate, the gradient of weight * state + bias; both are the same array except for a GRU. dy may be null.
void recurrent_backward(const Recurrent& task, const float* weight, const RecurrentTrace& trace, const float* dy,
                        float* dh, float* dc, float* dinput, float* dstate);

}  // namespace temper::kernels
