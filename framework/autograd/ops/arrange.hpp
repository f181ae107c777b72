#pragma once

#include <initializer_list>
#include <span>

#include <temper/autograd/ops/axes.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// Elements in another arrangement, beside those of shape.hpp: any dtype, copied. Axes may be negative. All throw:
// ShapeError when an axis does not exist; ValueError for options out of range.

/// The axes without those of size 1: all of them, or the one given, whose size must be 1. Shares memory.
Tensor squeeze(const Tensor& x);
Tensor squeeze(const Tensor& x, int axis);
/// A new axis of size 1; -1 puts it last. Shares memory.
Tensor unsqueeze(const Tensor& x, int axis);

/// Every `step`th element from begin to end (exclusive) of an axis, step > 0; negative ends count from its end, and
/// ends outside it are moved to it, as in Python.
Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step);
/// The elements along the axes in reverse order.
Tensor flip(const Tensor& x, const Axes& axes);
/// The elements moved along an axis by `shift` places; what leaves it at the end comes back at the beginning.
Tensor roll(const Tensor& x, std::int64_t shift, int axis);

/// x as often as it says along each axis, one copy after the other: torch.tile. One number for each axis.
Tensor tile(const Tensor& x, std::initializer_list<std::int64_t> repeats);
Tensor tile(const Tensor& x, std::span<const std::int64_t> repeats);
/// Each element along an axis `repeats` times.
Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, int axis);

/// Each matrix [..., rows, columns] where column - row is at most `diagonal`, or at least that; 0 elsewhere.
Tensor tril(const Tensor& x, std::int64_t diagonal = 0);
Tensor triu(const Tensor& x, std::int64_t diagonal = 0);
/// The elements of each matrix where column - row is `offset`: [..., rows, columns] -> [..., length].
Tensor diagonal(const Tensor& x, std::int64_t offset = 0);

/// 1 at the place each label names, 0 elsewhere: labels [...] i64 -> [..., classes] i64. Throws also: ValueError for a
/// label outside the classes.
Tensor one_hot(const Tensor& labels, std::int64_t classes);

// New tensors.

/// begin, begin + step, ... up to but without end: i64. Throws: ValueError for step 0.
Tensor arange(std::int64_t begin, std::int64_t end, std::int64_t step = 1);
/// `count` numbers from `from` to `to`, both included, at equal distances: f32. Throws: ValueError for count < 0.
Tensor linspace(double from, double to, std::int64_t count);
/// The identity [n, n] f32, or [n, columns]. Throws: ShapeError for negative sizes.
Tensor eye(std::int64_t n);
Tensor eye(std::int64_t n, std::int64_t columns);

}  // namespace temper
