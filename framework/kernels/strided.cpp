#include "framework/kernels/strided.hpp"

#include <algorithm>
#include <cstring>

#include <temper/core/parallel.hpp>

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 14;

/// Calls row(number, offset) for each line along the last axis of `shape`.
template <class Row>
void for_rows(const Shape& shape, const Strided& layout, Row row) {
  const Index columns = shape[-1];
  if (shape.numel() == 0) return;
  parallel_for(shape.numel() / columns, std::max<Index>(1, grain / columns), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      Index offset = layout.offset, rest = i;
      for (int axis = shape.rank() - 2; axis >= 0; --axis) {
        offset += rest % shape[axis] * layout.strides[static_cast<std::size_t>(axis)];
        rest /= shape[axis];
      }
      row(i, offset);
    }
  });
}

/// Copies lines of elements between a dense array and a strided one; `gather` reads the strided one.
template <class Element, bool gather>
void copy_lines(const Element* x, const Shape& shape, const Strided& layout, Element* y) {
  if (shape.rank() == 0) {
    y[gather ? 0 : layout.offset] = x[gather ? layout.offset : 0];
    return;
  }
  const Index columns = shape[-1], step = layout.strides[static_cast<std::size_t>(shape.rank() - 1)];
  for_rows(shape, layout, [=](Index number, Index offset) {
    const Element* const from = x + (gather ? offset : number * columns);
    Element* const to = y + (gather ? number * columns : offset);
    if (step == 1) {
      std::copy_n(from, columns, to);
    } else {
      for (Index i = 0; i < columns; ++i) to[gather ? i : i * step] = from[gather ? i * step : i];
    }
  });
}

template <bool gather>
void copied(const void* x, const Shape& shape, const Strided& layout, Index bytes, void* y) {
  const auto run = [&]<class Element>() {
    copy_lines<Element, gather>(static_cast<const Element*>(x), shape, layout, static_cast<Element*>(y));
  };
  switch (bytes) {
    case 1: return run.template operator()<std::uint8_t>();
    case 2: return run.template operator()<std::uint16_t>();
    case 4: return run.template operator()<std::uint32_t>();
    default: return run.template operator()<std::uint64_t>();
  }
}

}  // namespace

Strided dense(const Shape& shape) {
  Strided result;
  Index stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    result.strides[static_cast<std::size_t>(axis)] = stride;
    stride *= shape[axis];
  }
  return result;
}

void copy_from_strided(const void* x, const Strided& from, const Shape& shape, Index bytes, void* y) {
  copied<true>(x, shape, from, bytes, y);
}

void copy_to_strided(const void* x, const Shape& shape, const Strided& to, Index bytes, void* y) {
  copied<false>(x, shape, to, bytes, y);
}

void triangle(const void* x, Index matrices, Index rows, Index columns, Index diagonal, bool lower, Index bytes,
              void* y) {
  if (columns == 0) return;
  const auto size = [bytes](Index count) { return static_cast<std::size_t>(count * bytes); };
  parallel_for(matrices * rows, std::max<Index>(1, 4 * grain / (columns * bytes)), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const auto* const from = static_cast<const std::byte*>(x) + i * columns * bytes;
      auto* const to = static_cast<std::byte*>(y) + i * columns * bytes;
      // The first column past the lower triangle, or of the upper one.
      const Index cut = std::clamp<Index>(i % rows + diagonal + (lower ? 1 : 0), 0, columns);
      const Index first = lower ? 0 : cut, count = lower ? cut : columns - cut, zeros = lower ? cut : 0;
      std::memcpy(to + first * bytes, from + first * bytes, size(count));
      std::memset(to + zeros * bytes, 0, size(columns - count));
    }
  });
}

}  // namespace temper::kernels
