#include "framework/kernels/recurrent.hpp"

#include <algorithm>
#include <cmath>

#include <temper/core/parallel.hpp>

#include "framework/kernels/isa.hpp"
#include "framework/kernels/matmul.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

/// Calls body(example) for all examples of a step, in parallel if the work is worth it.
template <class Body>
void for_each_example(const Recurrent& s, Body body) {
  parallel_for(s.batch, std::max<Index>(1, 4096 / s.gate_width()), [&](Index begin, Index end) {
    for (Index example = begin; example < end; ++example) body(example);
  });
}

bool skipped(const Recurrent& s, Index step, Index example) {
  return s.lengths != nullptr && step >= s.lengths[example];
}

void sigmoid(float* x, Index n) { table().unary[static_cast<std::size_t>(Unary::sigmoid)](x, x, n); }
void hyperbolic_tangent(float* x, Index n) { table().unary[static_cast<std::size_t>(Unary::tanh)](x, x, n); }

/// One example's step. On entry gates [gate_width] hold the sums of the input's and the state's parts, which for the
/// last gate of a GRU are passed apart.
void step_lstm(Index n, float* gates, float* h, float* c) {
  float *const i = gates, *const f = i + n, *const g = f + n, *const o = g + n;
  sigmoid(i, 2 * n);
  hyperbolic_tangent(g, n);
  sigmoid(o, n);
  for (Index k = 0; k < n; ++k) h[k] = c[k] = f[k] * c[k] + i[k] * g[k];
  hyperbolic_tangent(h, n);
  for (Index k = 0; k < n; ++k) h[k] *= o[k];
}

void step_gru(Index n, float* gates, const float* input, const float* candidate, float* h) {
  float *const r = gates, *const z = r + n, *const m = z + n;
  sigmoid(r, 2 * n);
  for (Index k = 0; k < n; ++k) m[k] = input[2 * n + k] + r[k] * candidate[k];
  hyperbolic_tangent(m, n);
  for (Index k = 0; k < n; ++k) h[k] = (1.0f - z[k]) * m[k] + z[k] * h[k];
}

void step_plain(Cell cell, Index n, float* gates, float* h) {
  if (cell == Cell::tanh) {
    hyperbolic_tangent(gates, n);
  } else {
    table().unary[static_cast<std::size_t>(Unary::relu)](gates, gates, n);
  }
  std::copy_n(gates, n, h);
}

/// d: the gradients of a step's gates before their activation functions. dh and dc become the gradients of the state
/// before the step, without the part that flows through the gates.
void back_lstm(Index n, const float* gates, const float* before, float* dh, float* dc, float* d) {
  const float *const i = gates, *const f = i + n, *const g = f + n, *const o = g + n;
  for (Index k = 0; k < n; ++k) d[k] = f[k] * before[k] + i[k] * g[k];  // the cell after the step
  hyperbolic_tangent(d, n);
  for (Index k = 0; k < n; ++k) {
    const float t = d[k];
    const float slope = dc[k] + dh[k] * o[k] * (1.0f - t * t);
    d[3 * n + k] = dh[k] * t * o[k] * (1.0f - o[k]);
    d[2 * n + k] = slope * i[k] * (1.0f - g[k] * g[k]);
    d[n + k] = slope * before[k] * f[k] * (1.0f - f[k]);
    d[k] = slope * g[k] * i[k] * (1.0f - i[k]);
    dc[k] = slope * f[k];
    dh[k] = 0.0f;
  }
}

void back_gru(Index n, const float* gates, const float* before, const float* candidate, float* dh, float* dinput,
              float* dstate) {
  const float *const r = gates, *const z = r + n, *const m = z + n;
  for (Index k = 0; k < n; ++k) {
    const float dm = dh[k] * (1.0f - z[k]) * (1.0f - m[k] * m[k]);
    const float dr = dm * candidate[k] * r[k] * (1.0f - r[k]);
    const float dz = dh[k] * (before[k] - m[k]) * z[k] * (1.0f - z[k]);
    dinput[k] = dstate[k] = dr;
    dinput[n + k] = dstate[n + k] = dz;
    dinput[2 * n + k] = dm;
    dstate[2 * n + k] = dm * r[k];
    dh[k] *= z[k];
  }
}

void back_plain(Cell cell, Index n, const float* gates, float* dh, float* d) {
  for (Index k = 0; k < n; ++k) {
    d[k] = cell == Cell::tanh ? dh[k] * (1.0f - gates[k] * gates[k]) : gates[k] > 0.0f ? dh[k] : 0.0f;
    dh[k] = 0.0f;
  }
}

}  // namespace

void recurrent(const Recurrent& s, const float* input, const float* weight, const float* bias, float* h, float* c,
               float* y, const RecurrentTrace& trace) {
  const Index n = s.hidden, width = s.gate_width();
  const Scratch<float> from_state(s.batch * width);
  for (Index k = 0; k < s.steps; ++k) {
    const Index step = s.reverse ? s.steps - 1 - k : k;
    matmul({.m = s.batch, .n = width, .k = n, .transpose_b = true}, h, weight, bias, from_state.data());
    for_each_example(s, [&](Index example) {
      const Index row = step * s.batch + example;
      float* const state = h + example * n;
      float* const cell = c != nullptr ? c + example * n : nullptr;
      float* const gates = trace.gates + row * width;
      const float* const in = input + row * width;
      const float* const part = from_state.data() + example * width;
      std::copy_n(state, n, trace.hidden_before + row * n);
      if (cell != nullptr) std::copy_n(cell, n, trace.cell_before + row * n);
      if (skipped(s, step, example)) {
        std::fill_n(gates, width, 0.0f);
        if (trace.candidate != nullptr) std::fill_n(trace.candidate + row * n, n, 0.0f);
        std::fill_n(y + row * n, n, 0.0f);
        return;
      }
      for (Index i = 0; i < width; ++i) gates[i] = in[i] + part[i];
      switch (s.cell) {
        case Cell::lstm: step_lstm(n, gates, state, cell); break;
        case Cell::gru: {
          float* const candidate = trace.candidate + row * n;
          std::copy_n(part + 2 * n, n, candidate);
          step_gru(n, gates, in, candidate, state);
          break;
        }
        default: step_plain(s.cell, n, gates, state);
      }
      std::copy_n(state, n, y + row * n);
    });
  }
}

void recurrent_backward(const Recurrent& s, const float* weight, const RecurrentTrace& trace, const float* dy,
                        float* dh, float* dc, float* dinput, float* dstate) {
  const Index n = s.hidden, width = s.gate_width();
  for (Index k = s.steps; k-- > 0;) {
    const Index step = s.reverse ? s.steps - 1 - k : k;
    for_each_example(s, [&](Index example) {
      const Index row = step * s.batch + example;
      float* const state_gradient = dh + example * n;
      float *const to_input = dinput + row * width, *const to_state = dstate + row * width;
      const float* const gates = trace.gates + row * width;
      if (skipped(s, step, example)) {  // the state passed unchanged, and so does its gradient
        std::fill_n(to_input, width, 0.0f);
        std::fill_n(to_state, width, 0.0f);
        return;
      }
      for (Index i = 0; dy != nullptr && i < n; ++i) state_gradient[i] += dy[row * n + i];
      switch (s.cell) {
        case Cell::lstm:
          back_lstm(n, gates, trace.cell_before + row * n, state_gradient, dc + example * n, to_input);
          break;
        case Cell::gru:
          back_gru(n, gates, trace.hidden_before + row * n, trace.candidate + row * n, state_gradient, to_input,
                   to_state);
          break;
        default: back_plain(s.cell, n, gates, state_gradient, to_input);
      }
    });
    matmul({.m = s.batch, .n = n, .k = width, .accumulate = true}, dstate + step * s.batch * width, weight, nullptr,
           dh);
  }
}

}  // namespace temper::kernels
