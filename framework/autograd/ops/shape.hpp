#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include <temper/autograd/ops/axes.hpp>
#include <temper/autograd/ops/spatial.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// Unless said otherwise these take any dtype and copy. Axes may be negative. All throw: ShapeError when an axis does
// not exist or sizes do not fit.

/// The same elements in the same order under another shape, sharing memory. One size may be -1: it is computed.
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor reshape(const Tensor& x, std::span<const std::int64_t> sizes);
Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> sizes);
/// All axes from `from_axis` on as one, sharing memory: [N, 4, 5] -> [N, 20].
Tensor flatten(const Tensor& x, int from_axis = 1);
/// Images [N, H, W, C] as features [N, C * H * W] in the order C, H, W, the one PyTorch's weights expect. f32 or bf16.
Tensor flatten_chw(const Tensor& x);

/// The axes in another order: permute(x, {0, 2, 1}).
Tensor permute(const Tensor& x, const Axes& axes);
/// Two axes exchanged.
Tensor transpose(const Tensor& x, int axis_a, int axis_b);

/// Elements begin to end (exclusive) of an axis; negative ones count from its end. Shares memory when the axis is 0.
Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end);
/// Tensors one after the other along an axis; their other sizes are equal.
Tensor concat(std::span<const Tensor> tensors, int axis);
Tensor concat(std::initializer_list<Tensor> tensors, int axis);
/// Tensors of equal shape along a new axis.
Tensor stack(std::span<const Tensor> tensors, int axis = 0);
Tensor stack(std::initializer_list<Tensor> tensors, int axis = 0);
/// Parts of `size` along an axis; the last may be smaller.
std::vector<Tensor> split(const Tensor& x, std::int64_t size, int axis = 0);

/// x broadcast to a shape. f32 or bf16.
Tensor expand(const Tensor& x, const Shape& shape);

/// x with `value` around it; one Padding for each axis; f32 or bf16.
Tensor pad(const Tensor& x, std::span<const Padding> padding, float value = 0.0f);
Tensor pad(const Tensor& x, std::initializer_list<Padding> padding, float value = 0.0f);

/// Elements of x (f32 or bf16) picked along an axis by an i64 index, whose other sizes are those of x:
/// gather(x, 1, index)[i, j] = x[i, index[i, j]]. Throws also: ValueError for an index outside the axis.
Tensor gather(const Tensor& x, int axis, const Tensor& index);

}  // namespace temper
