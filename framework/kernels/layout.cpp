#include "framework/kernels/layout.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/isa.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 14;
constexpr Index tile = 32;  // rows of a transposition done by one task

struct Axis {
  Index size;
  Index from;  // elements x moves along this axis of y
};

struct Permutation {
  std::array<Axis, Shape::max_rank> axes;  // of y, outermost first, merged where both x and y are contiguous
  int rank = 0;

  Axis& operator[](int i) { return axes[static_cast<std::size_t>(i)]; }
  const Axis& operator[](int i) const { return axes[static_cast<std::size_t>(i)]; }
};

Permutation plan(const Shape& x, std::span<const int> order) {
  std::array<Index, Shape::max_rank> strides{};
  Index stride = 1;
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= x[axis];
  }
  Permutation result;
  for (const int axis : order) {
    const Axis next{x[axis], strides[static_cast<std::size_t>(axis)]};
    if (next.size == 1) continue;
    if (result.rank > 0 && result[result.rank - 1].from == next.from * next.size) {
      result[result.rank - 1] = {result[result.rank - 1].size * next.size, next.from};
    } else {
      result[result.rank++] = next;
    }
  }
  if (result.rank == 0) result[result.rank++] = {1, 1};
  return result;
}

/// The offset in x of the element of y with index `number` along the axes [0, rank) without `skipped`.
Index offset(const Permutation& p, int rank, int skipped, Index number) {
  Index result = 0;
  for (int i = rank - 1; i >= 0; --i) {
    if (i == skipped) continue;
    result += number % p[i].size * p[i].from;
    number /= p[i].size;
  }
  return result;
}

/// Elements one by one along the last axis of y.
template <class T>
void permute_elements(const T* x, const Permutation& p, Index total, T* y) {
  const Axis last = p[p.rank - 1];
  parallel_for(total / last.size, std::max<Index>(1, grain / last.size), [&](Index begin, Index end) {
    for (Index run = begin; run < end; ++run) {
      const T* from = x + offset(p, p.rank - 1, -1, run);
      T* to = y + run * last.size;
      if (last.from == 1) {
        std::memcpy(to, from, static_cast<std::size_t>(last.size) * sizeof(T));
      } else {
        for (Index i = 0; i < last.size; ++i) to[i] = from[i * last.from];
      }
    }
  });
}

/// Transposes the axis that is contiguous in x (the `q`th of y) with the one that is contiguous in y.
void permute_tiles(const float* x, const Permutation& p, int q, Index total, float* y) {
  const Axis last = p[p.rank - 1];
  const Index cols = p[q].size;
  Index stride_q = 1;  // of y
  for (int i = q + 1; i < p.rank; ++i) stride_q *= p[i].size;
  const Index tiles = chunk_count(last.size, tile);
  const Index matrices = total / (last.size * cols);
  const auto kernel = table().transpose;
  const Index per_chunk = std::max<Index>(1, grain / (cols * std::min(tile, last.size)));
  parallel_for(matrices * tiles, per_chunk, [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index matrix = task / tiles, row = task % tiles * tile;
      // Places of y's axes between q and the last.
      const Index between = stride_q / last.size;
      const Index to = matrix / between * cols * stride_q + matrix % between * last.size;
      kernel(x + offset(p, p.rank - 1, q, matrix) + row * last.from, std::min(tile, last.size - row), cols, last.from,
             y + to + row, stride_q);
    }
  });
}

}  // namespace

void permute(const void* x, const Shape& x_shape, std::span<const int> axes, std::size_t element, void* y) {
  const Index total = x_shape.numel();
  if (total == 0) return;
  const Permutation p = plan(x_shape, axes);
  const auto by_element = [&]<class T>(T) { permute_elements(static_cast<const T*>(x), p, total, static_cast<T*>(y)); };
  switch (element) {
    case 1: by_element(std::uint8_t{}); break;
    case 2: by_element(std::uint16_t{}); break;
    case 8: by_element(std::uint64_t{}); break;
    default:
      if (p[p.rank - 1].from == 1) {
        by_element(float{});
        break;
      }
      int q = 0;
      while (p[q].from != 1) ++q;
      permute_tiles(static_cast<const float*>(x), p, q, total, static_cast<float*>(y));
  }
}

void copy_blocks(const void* from, Index from_stride, void* to, Index to_stride, Index bytes, Index count) {
  if (bytes == 0) return;
  constexpr Index grain_bytes = Index{1} << 16;
  const Index pieces = chunk_count(bytes, grain_bytes);
  parallel_for(count * pieces, std::max<Index>(1, grain_bytes / bytes), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index block = i / pieces, first = i % pieces * grain_bytes;
      std::memcpy(static_cast<std::byte*>(to) + block * to_stride + first,
                  static_cast<const std::byte*>(from) + block * from_stride + first,
                  static_cast<std::size_t>(std::min(grain_bytes, bytes - first)));
    }
  });
}

template <class X, class Y>
void add_blocks(const X* from, Index from_stride, Y* to, Index to_stride, Index n, Index count) {
  if (n == 0) return;
  const Index pieces = chunk_count(n, grain);
  const auto kernel = accumulate_kernel<Y, X>();
  parallel_for(count * pieces, std::max<Index>(1, grain / n), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index block = i / pieces, first = i % pieces * grain;
      kernel(to + block * to_stride + first, from + block * from_stride + first, std::min(grain, n - first));
    }
  });
}
template void add_blocks(const float*, Index, float*, Index, Index, Index);
template void add_blocks(const BFloat16*, Index, BFloat16*, Index, Index, Index);
template void add_blocks(const BFloat16*, Index, float*, Index, Index, Index);

template <class T>
void gather(const T* x, const std::int64_t* index, Index outer, Index n, Index m, Index inner, T* y) {
  parallel_for(outer * m * inner, grain, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) y[i] = x[(i / (m * inner) * n + index[i]) * inner + i % inner];
  });
}

template void gather(const float*, const std::int64_t*, Index, Index, Index, Index, float*);
template void gather(const BFloat16*, const std::int64_t*, Index, Index, Index, Index, BFloat16*);
template void gather(const std::int64_t*, const std::int64_t*, Index, Index, Index, Index, std::int64_t*);
template void gather(const bool*, const std::int64_t*, Index, Index, Index, Index, bool*);

template <class T>
void gather_backward(const T* dy, const std::int64_t* index, Index outer, Index n, Index m, Index inner, float* dx) {
  // Split between blocks of `outer`: equal indices add to the same element only within one, so each sum runs in order.
  parallel_for(outer, std::max<Index>(1, grain / std::max<Index>(1, m * inner)), [=](Index begin, Index end) {
    for (Index i = begin * m * inner; i < end * m * inner; ++i) {
      float& target = dx[(i / (m * inner) * n + index[i]) * inner + i % inner];
      target = target + widened(dy[i]);
    }
  });
}
template void gather_backward(const float*, const std::int64_t*, Index, Index, Index, Index, float*);
template void gather_backward(const BFloat16*, const std::int64_t*, Index, Index, Index, Index, float*);

}  // namespace temper::kernels
