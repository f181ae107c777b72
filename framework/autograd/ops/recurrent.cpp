#include <temper/autograd/ops/recurrent.hpp>

#include <algorithm>

#include <temper/autograd/ops/shape.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/matmul.hpp"
#include "framework/kernels/recurrent.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper {

namespace {

constexpr const char* name = "recurrent";

void require_shape(const char* argument, const Tensor& x, const Shape& shape, const Tensor& gates) {
  if (!x.defined()) return;
  detail::require(name, argument, x);
  if (!(x.shape() == shape)) {
    fail<ShapeError>("{}: {} {}, gates {} expect {}", name, argument, x.shape(), gates.shape(), shape);
  }
}

kernels::Recurrent checked(kernels::Cell cell, const RecurrentInputs& in, bool reverse) {
  detail::require(name, "gates", in.gates);
  detail::require(name, "weight_hh", in.weight_hh);
  const std::int64_t count = kernels::gates_of(cell);
  if (in.gates.rank() != 3 || in.weight_hh.rank() != 2 || in.weight_hh.size(1) == 0 ||
      in.weight_hh.size(0) != count * in.weight_hh.size(1) || in.gates.size(2) != in.weight_hh.size(0)) {
    fail<ShapeError>("{}: gates {} and weight_hh {}, expected [T, N, {} H] and [{} H, H]", name, in.gates.shape(),
                     in.weight_hh.shape(), count, count);
  }
  kernels::Recurrent task{cell, in.gates.size(0), in.gates.size(1), in.weight_hh.size(1), reverse, nullptr};
  require_shape("bias_hh", in.bias_hh, {task.gate_width()}, in.gates);
  require_shape("h0", in.h0, {task.batch, task.hidden}, in.gates);
  require_shape("c0", in.c0, {task.batch, task.hidden}, in.gates);
  if (in.c0.defined() && cell != kernels::Cell::lstm) fail<ValueError>("{}: c0 is an LSTM's alone", name);
  if (in.lengths.defined()) {
    detail::require(name, "lengths", in.lengths, Dtype::i64);
    if (!(in.lengths.shape() == Shape{task.batch})) {
      fail<ShapeError>("{}: lengths {}, gates {} expect [{}]", name, in.lengths.shape(), in.gates.shape(), task.batch);
    }
    for (const std::int64_t length : in.lengths.values<std::int64_t>()) {
      if (length < 0 || length > task.steps) {
        fail<ValueError>("{}: length {}, expected 0 to the {} steps", name, length, task.steps);
      }
    }
    task.lengths = in.lengths.data<std::int64_t>();
  }
  return task;
}

/// The tensors of a kernels::RecurrentTrace.
struct Trace {
  Tensor gates, hidden_before, cell_before, candidate;

  explicit Trace(const kernels::Recurrent& s)
      : gates(empty({s.steps, s.batch, s.gate_width()})), hidden_before(empty({s.steps, s.batch, s.hidden})) {
    if (s.cell == kernels::Cell::lstm) cell_before = empty(hidden_before.shape());
    if (s.cell == kernels::Cell::gru) candidate = empty(hidden_before.shape());
  }
  kernels::RecurrentTrace pointers() {
    const auto of = [](Tensor& t) { return t.defined() ? t.mutable_data<float>() : nullptr; };
    return {of(gates), of(hidden_before), of(cell_before), of(candidate)};
  }
};

}  // namespace

RecurrentOutputs recurrent(RecurrentCell kind, const RecurrentInputs& in, bool reverse) {
  const auto cell = static_cast<kernels::Cell>(kind);
  const kernels::Recurrent task = checked(cell, in, reverse);
  const bool lstm = cell == kernels::Cell::lstm;
  const std::int64_t steps = task.steps, states = lstm ? 2 : 1;
  // Outputs and last states are one tensor [T + states, N, H], because an operation has one result.
  Tensor all = empty({steps + states, task.batch, task.hidden});
  float* const y = all.mutable_data<float>();
  float *const h = y + steps * task.state(), *const c = lstm ? h + task.state() : nullptr;
  const auto start = [&](const Tensor& given, float* to) {
    if (to == nullptr) return;
    if (given.defined()) {
      std::copy_n(given.data<float>(), task.state(), to);
    } else {
      std::fill_n(to, task.state(), 0.0f);
    }
  };
  start(in.h0, h);
  start(in.c0, c);
  Trace trace(task);
  kernels::recurrent(task, in.gates.data<float>(), in.weight_hh.data<float>(),
                     in.bias_hh.defined() ? in.bias_hh.data<float>() : nullptr, h, c, y, trace.pointers());
  const Tensor result = record(
      {name, {{"cell", kind}, {"reverse", reverse}, {"lengths", in.lengths}}}, all,
      {in.gates, in.weight_hh, in.bias_hh, in.h0, in.c0},
      [=, weight = save(in.weight_hh), lengths = save(in.lengths)](const Tensor& dy, Gradients& gradients) mutable {
        const std::int64_t rows = steps * task.batch, width = task.gate_width();
        const float* const slopes = dy.data<float>();
        Tensor dh = empty({task.batch, task.hidden}), dc;
        std::copy_n(slopes + steps * task.state(), task.state(), dh.mutable_data<float>());
        if (lstm) {
          dc = empty({task.batch, task.hidden});
          std::copy_n(slopes + (steps + 1) * task.state(), task.state(), dc.mutable_data<float>());
        }
        Tensor dinput = empty({steps, task.batch, width});
        Tensor dstate = cell == kernels::Cell::gru ? empty(dinput.shape()) : dinput;
        kernels::recurrent_backward(task, weight->data<float>(), trace.pointers(), slopes, dh.mutable_data<float>(),
                                    lstm ? dc.mutable_data<float>() : nullptr, dinput.mutable_data<float>(),
                                    dstate.mutable_data<float>());
        detail::write_gradient<float>(gradients, 1, [&]<class>(float* dw, bool accumulate) {
          kernels::matmul({.m = width, .n = task.hidden, .k = rows, .transpose_a = true, .accumulate = accumulate},
                          dstate.data<float>(), trace.hidden_before.data<float>(), nullptr, dw);
        });
        detail::write_gradient<float>(gradients, 2, [&]<class>(float* db, bool accumulate) {
          kernels::sum_rows(dstate.data<float>(), rows, width, db, accumulate);
        });
        if (gradients.wants(0)) gradients.give(0, std::move(dinput));
        if (gradients.wants(3)) gradients.give(3, std::move(dh));
        if (lstm && gradients.wants(4)) gradients.give(4, std::move(dc));
      });
  const auto state = [&](std::int64_t i) {
    return reshape(slice(result, 0, steps + i, steps + i + 1), {task.batch, task.hidden});
  };
  return {slice(result, 0, 0, steps), state(0), lstm ? state(1) : Tensor()};
}

}  // namespace temper
