#include "framework/kernels/scatter.hpp"

#include <algorithm>
#include <cstring>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/isa.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 14;
constexpr Index panel = 128;  // columns of a task

/// y += x
template <class Y, class X>
void add(Y* y, const X* x, Index n) {
  accumulate_kernel<Y, X>()(y, x, n);
}
std::int64_t wrapped_sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
void add(std::int64_t* y, const std::int64_t* x, Index n) {
  for (Index i = 0; i < n; ++i) y[i] = wrapped_sum(y[i], x[i]);
}

/// y += scale * x
template <class Y, class X>
void add_scaled(Y* y, const X* x, float scale, Index n) {
  if constexpr (std::is_same_v<Y, std::int64_t>) {
    add(y, x, n);
  } else {
    for (Index i = 0; i < n; ++i) y[i] = narrowed<Y>(widened(y[i]) + scale * widened(x[i]));
  }
}

template <class Y, class X>
Y sum_of(Y a, X b) {
  if constexpr (std::is_same_v<Y, std::int64_t>) {
    return wrapped_sum(a, b);
  } else {
    return narrowed<Y>(widened(a) + widened(b));
  }
}

/// Calls body(first, last, task, tasks) for columns first to last of each of `outer` blocks. Where these are too few
/// for all threads, the places are shared out: place p belongs to task p % tasks. Who adds changes no bit.
template <class Body>
void for_columns(Index outer, Index m, Index inner, Body body) {
  const Index panels = chunk_count(inner, panel), work = m * inner;
  Index tasks = 1;
  if (outer * panels < threads()) tasks = std::clamp<Index>(work / grain, 1, threads());
  const Index alone = std::max<Index>(1, grain / std::max<Index>(1, m * std::min(inner, panel)));
  parallel_for(outer * panels * tasks, tasks > 1 ? 1 : alone, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index first = i / tasks % panels * panel;
      body(i / tasks / panels, first, std::min(inner, first + panel), i % tasks, tasks);
    }
  });
}

template <class Element>
void put(const Element* x, const std::int64_t* index, Index outer, Index n, Index m, Index inner, Element* y,
         std::int64_t* writer) {
  for_columns(outer, m, inner, [=](Index o, Index first, Index last, Index task, Index tasks) {
    for (Index j = 0; j < m; ++j) {
      for (Index i = first; i < last; ++i) {
        const Index from = (o * m + j) * inner + i;
        if (tasks > 1 && index[from] % tasks != task) continue;
        const Index to = (o * n + index[from]) * inner + i;
        y[to] = x[from];
        if (writer != nullptr) writer[to] = j;
      }
    }
  });
}

}  // namespace

void take_blocks(const void* x, const std::int64_t* index, Index outer, Index n, Index m, Index bytes, void* y) {
  if (bytes == 0) return;
  const auto run = [=](auto copy) {
    parallel_for(outer * m, std::max<Index>(1, 4 * grain / bytes), [=](Index begin, Index end) {
      Index o = begin / m, j = begin % m;
      for (Index i = begin; i < end; ++i) {
        copy(static_cast<std::byte*>(y) + i * bytes, static_cast<const std::byte*>(x) + (o * n + index[j]) * bytes);
        if (++j == m) j = 0, ++o;
      }
    });
  };
  switch (bytes) {
    case 4: return run([](void* to, const void* from) { std::memcpy(to, from, 4); });
    case 8: return run([](void* to, const void* from) { std::memcpy(to, from, 8); });
    default: run([bytes](void* to, const void* from) { std::memcpy(to, from, static_cast<std::size_t>(bytes)); });
  }
}

template <class X, class Y>
void add_blocks_at(const X* x, const std::int64_t* index, const float* scale, Index outer, Index n, Index m,
                   Index inner, Y* y) {
  for_columns(outer, m, inner, [=](Index o, Index first, Index last, Index task, Index tasks) {
    for (Index j = 0; j < m; ++j) {
      if (tasks > 1 && index[j] % tasks != task) continue;
      Y* const to = y + (o * n + index[j]) * inner + first;
      const X* const from = x + (o * m + j) * inner + first;
      if (scale != nullptr) {
        add_scaled(to, from, scale[j], last - first);
      } else {
        add(to, from, last - first);
      }
    }
  });
}
template void add_blocks_at(const float*, const std::int64_t*, const float*, Index, Index, Index, Index, float*);
template void add_blocks_at(const BFloat16*, const std::int64_t*, const float*, Index, Index, Index, Index, float*);
template void add_blocks_at(const std::int64_t*, const std::int64_t*, const float*, Index, Index, Index, Index,
                            std::int64_t*);

template <class X, class Y>
void add_elements_at(const X* x, const std::int64_t* index, Index outer, Index n, Index m, Index inner, Y* y) {
  for_columns(outer, m, inner, [=](Index o, Index first, Index last, Index task, Index tasks) {
    for (Index j = 0; j < m; ++j) {
      for (Index i = first; i < last; ++i) {
        const Index from = (o * m + j) * inner + i;
        if (tasks > 1 && index[from] % tasks != task) continue;
        Y& to = y[(o * n + index[from]) * inner + i];
        to = sum_of(to, x[from]);
      }
    }
  });
}
template void add_elements_at(const float*, const std::int64_t*, Index, Index, Index, Index, float*);
template void add_elements_at(const BFloat16*, const std::int64_t*, Index, Index, Index, Index, float*);
template void add_elements_at(const std::int64_t*, const std::int64_t*, Index, Index, Index, Index, std::int64_t*);

void put_elements_at(const void* x, const std::int64_t* index, Index outer, Index n, Index m, Index inner, Index bytes,
                     void* y, std::int64_t* writer) {
  const auto run = [&]<class Element>() {
    put(static_cast<const Element*>(x), index, outer, n, m, inner, static_cast<Element*>(y), writer);
  };
  switch (bytes) {
    case 1: return run.template operator()<std::uint8_t>();
    case 2: return run.template operator()<std::uint16_t>();
    case 4: return run.template operator()<std::uint32_t>();
    default: return run.template operator()<std::uint64_t>();
  }
}

}  // namespace temper::kernels
