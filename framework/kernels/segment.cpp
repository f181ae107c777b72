#include "framework/kernels/segment.hpp"

#include <algorithm>
#include <cmath>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 14;
constexpr Index block = 128;  // rows that are summed on their own: longer sums in float lose digits
constexpr Index panel = 128;  // columns of a task

bool exceeds(Segment op, float value, float top) {
  return op == Segment::largest ? !(value <= top) : !(value >= top);  // true of NaN
}

/// Segments a chunk, when there are `rows` in all.
Index segments_per_chunk(Index segments, Index rows, Index width) {
  return std::max<Index>(1, grain * segments / std::max<Index>(1, rows * width));
}

/// y += scale * x
template <class T>
void add_scaled(float* y, const T* x, float scale, Index n) {
  for (Index i = 0; i < n; ++i) y[i] += scale * widened(x[i]);
}

/// How many ids of a bag count.
Index counted(const Bags& b, Index bag) {
  Index count = 0;
  for (Index i = b.offsets[bag]; i < b.offsets[bag + 1]; ++i) count += b.ids[i] != b.padding;
  return count;
}

template <class T>
void largest_rows(const Bags& b, Index bag, const T* weight, Index width, float* top, std::int64_t* which) {
  std::fill_n(top, width, 0.0f);
  std::fill_n(which, width, std::int64_t{-1});
  for (Index i = b.offsets[bag]; i < b.offsets[bag + 1]; ++i) {
    if (b.ids[i] == b.padding) continue;
    const T* const row = weight + b.ids[i] * width;
    for (Index c = 0; c < width; ++c) {
      const float value = widened(row[c]);
      if (which[c] >= 0 && (std::isnan(top[c]) || !exceeds(Segment::largest, value, top[c]))) continue;
      top[c] = value;
      which[c] = i;
    }
  }
}

template <class T>
void summed_rows(const Bags& b, Index bag, const T* weight, Index width, float* sum, double* total) {
  const auto add = accumulate_kernel<float, T>();
  const bool several = b.offsets[bag + 1] - b.offsets[bag] > block;
  std::fill_n(sum, width, 0.0f);
  if (several) std::fill_n(total, width, 0.0);
  for (Index begin = b.offsets[bag]; begin < b.offsets[bag + 1]; begin += block) {
    const Index end = std::min(begin + block, b.offsets[bag + 1]);
    if (several) std::fill_n(sum, width, 0.0f);
    for (Index i = begin; i < end; ++i) {
      if (b.ids[i] == b.padding) continue;
      const T* const row = weight + b.ids[i] * width;
      if (b.scale != nullptr) {
        add_scaled(sum, row, b.scale[i], width);
      } else {
        add(sum, row, width);
      }
    }
    for (Index c = 0; several && c < width; ++c) total[c] += static_cast<double>(sum[c]);
  }
  for (Index c = 0; several && c < width; ++c) sum[c] = static_cast<float>(total[c]);
}

}  // namespace

void reduce_segments(Segment op, const float* x, const std::int64_t* offsets, Index segments, Index width, float* y) {
  const Index rows = segments > 0 ? offsets[segments] - offsets[0] : 0;
  parallel_for(segments, segments_per_chunk(segments, rows, width), [=](Index begin, Index end) {
    for (Index s = begin; s < end; ++s) {
      const Index count = offsets[s + 1] - offsets[s];
      const float* const from = x + offsets[s] * width;
      float* const to = y + s * width;
      if (count == 0) {
        std::fill_n(to, width, 0.0f);
      } else if (op == Segment::sum || op == Segment::mean) {
        const double share = op == Segment::mean ? 1.0 / static_cast<double>(count) : 1.0;
        reduce(Reduce::sum, from, 1, count, width, static_cast<float>(share), to);
      } else {
        reduce(op == Segment::largest ? Reduce::largest : Reduce::smallest, from, 1, count, width, 1.0f, to);
      }
    }
  });
}

void reduce_segments_backward(Segment op, const float* x, const float* y, const float* dy, const std::int64_t* offsets,
                              Index segments, Index rows, Index width, float* dx) {
  const Index first = segments > 0 ? offsets[0] : rows, last = segments > 0 ? offsets[segments] : rows;
  std::fill_n(dx, first * width, 0.0f);
  std::fill_n(dx + last * width, (rows - last) * width, 0.0f);
  parallel_for(segments, segments_per_chunk(segments, rows, width), [=](Index begin, Index end) {
    const Scratch<float> shares(width);
    for (Index s = begin; s < end; ++s) {
      const float* const slope = dy + s * width;
      const bool sums = op == Segment::sum || op == Segment::mean;
      const auto count = static_cast<float>(offsets[s + 1] - offsets[s]);
      const float* const top = y + s * width;
      const auto same = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
      for (Index c = 0; c < width; ++c) {
        float equals = op == Segment::mean ? count : sums ? 1.0f : 0.0f;
        for (Index r = offsets[s]; !sums && r < offsets[s + 1]; ++r)
          equals += same(x[r * width + c], top[c]) ? 1.0f : 0.0f;
        shares[c] = slope[c] / equals;
      }
      for (Index r = offsets[s]; r < offsets[s + 1]; ++r) {
        for (Index c = 0; c < width; ++c) {
          dx[r * width + c] = sums || same(x[r * width + c], top[c]) ? shares[c] : 0.0f;
        }
      }
    }
  });
}

template <class T>
void embedding_bag(Segment op, const Bags& b, const T* weight, Index width, T* y, std::int64_t* which) {
  parallel_for(b.bags, segments_per_chunk(b.bags, b.count, width), [=](Index begin, Index end) {
    const Scratch<float> sum(width);
    const Scratch<double> total(width);
    for (Index bag = begin; bag < end; ++bag) {
      float scale = 1.0f;
      if (op == Segment::largest) {
        largest_rows(b, bag, weight, width, sum.data(), which + bag * width);
      } else {
        summed_rows(b, bag, weight, width, sum.data(), total.data());
        if (op == Segment::mean) scale = 1.0f / static_cast<float>(std::max<Index>(1, counted(b, bag)));
      }
      for (Index c = 0; c < width; ++c) y[bag * width + c] = narrowed<T>(scale * sum[c]);
    }
  });
}
template void embedding_bag(Segment, const Bags&, const float*, Index, float*, std::int64_t*);
template void embedding_bag(Segment, const Bags&, const BFloat16*, Index, BFloat16*, std::int64_t*);

template <class T>
void embedding_bag_backward(Segment op, const Bags& b, const T* dy, const std::int64_t* which, Index width,
                            float* dweight) {
  // A row may be in several bags: its sum runs in order on one thread, which has some of the columns, or some of the
  // rows.
  const Index panels = chunk_count(width, panel);
  const Index tasks = panels < threads() ? std::clamp<Index>(b.count * width / grain, 1, threads()) : 1;
  parallel_for(panels * tasks, 1, [=](Index number, Index) {
    const Index first = number / tasks * panel, columns = std::min(panel, width - first), task = number % tasks;
    for (Index bag = 0; bag < b.bags; ++bag) {
      const T* const slope = dy + bag * width + first;
      if (op == Segment::largest) {
        for (Index c = 0; c < columns; ++c) {
          const std::int64_t place = which[bag * width + first + c];
          if (place < 0 || b.ids[place] % tasks != task) continue;
          float& to = dweight[b.ids[place] * width + first + c];
          to = to + widened(slope[c]);
        }
        continue;
      }
      const float share = op == Segment::mean ? 1.0f / static_cast<float>(std::max<Index>(1, counted(b, bag))) : 1.0f;
      for (Index i = b.offsets[bag]; i < b.offsets[bag + 1]; ++i) {
        if (b.ids[i] == b.padding || b.ids[i] % tasks != task) continue;
        add_scaled(dweight + b.ids[i] * width + first, slope, b.scale != nullptr ? b.scale[i] : share, columns);
      }
    }
  });
}
template void embedding_bag_backward(Segment, const Bags&, const float*, const std::int64_t*, Index, float*);
template void embedding_bag_backward(Segment, const Bags&, const BFloat16*, const std::int64_t*, Index, float*);

template <class T>
void share_bags(const Bags& b, const T* dy, Index width, float* share) {
  parallel_for(b.bags, std::max<Index>(1, grain / std::max<Index>(1, width)), [=](Index begin, Index end) {
    for (Index bag = begin; bag < end; ++bag) {
      const float one = 1.0f / static_cast<float>(std::max<Index>(1, counted(b, bag)));
      for (Index c = 0; c < width; ++c) share[bag * width + c] = one * widened(dy[bag * width + c]);
    }
  });
}
template void share_bags(const Bags&, const float*, Index, float*);
template void share_bags(const Bags&, const BFloat16*, Index, float*);

template <class T>
void embedding_bag_scale_backward(const Bags& b, const T* weight, const T* dy, Index width, float* dscale) {
  const auto dot = table_of<T>().dot;
  std::fill_n(dscale, b.count, 0.0f);
  parallel_for(b.bags, segments_per_chunk(b.bags, b.count, width), [=](Index begin, Index end) {
    for (Index bag = begin; bag < end; ++bag) {
      for (Index i = b.offsets[bag]; i < b.offsets[bag + 1]; ++i) {
        if (b.ids[i] != b.padding) dscale[i] = dot(weight + b.ids[i] * width, dy + bag * width, width);
      }
    }
  });
}
template void embedding_bag_scale_backward(const Bags&, const float*, const float*, Index, float*);
template void embedding_bag_scale_backward(const Bags&, const BFloat16*, const BFloat16*, Index, float*);

}  // namespace temper::kernels
