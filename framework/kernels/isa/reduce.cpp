#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

struct Sum {
  static Vec both(Vec a, Vec b) { return a + b; }
};
struct Largest {
  static Vec both(Vec a, Vec b) { return max_or_nan(a, b); }
};
struct Smallest {
  static Vec both(Vec a, Vec b) { return min_or_nan(a, b); }
};

template <class T>
double sum(const T* x, Index n) {
  return blocked_sum(n, [=](Index i, Index count) { return load_upto(x + i, count); });
}

template <class T>
float dot(const T* a, const T* b, Index n) {
  return static_cast<float>(
      blocked_sum(n, [=](Index i, Index count) { return load_upto(a + i, count) * load_upto(b + i, count); }));
}

template <class T>
bool all_finite(const T* x, Index n) {
  // x * 0 is NaN where x is infinite or NaN, else 0.
  return blocked_sum(n, [=](Index i, Index count) { return load_upto(x + i, count) * Vec(0.0f); }) == 0.0;
}

template <class F>
float extreme(const float* x, Index n) {
  // Lanes without an element repeat the first one.
  Vec best(x[0]);
  for_each_vector(n, [&](Index i, Index count) { best = F::both(best, load_upto(x + i, count, x[0])); });
  alignas(64) float lanes[width];
  best.store_aligned(lanes);
  for (Index step = width / 2; step > 0; step /= 2) {
    for (Index i = 0; i < step; ++i) lanes[i] = F::both(Vec(lanes[i]), Vec(lanes[i + step])).get(0);
  }
  return lanes[0];
}

template <class F, class T>
void reduce_rows(const T* x, Index rows, Index cols, Index stride, float* y) {
  // Rows in the order of memory, four at a time, so that y is read and written once for four.
  Index row = 0;
  if (rows >= 4) {
    for_each_vector(cols, [=](Index i, Index count) {
      const T* p = x + i;
      const Vec a = F::both(load_upto(p, count), load_upto(p + stride, count));
      const Vec b = F::both(load_upto(p + 2 * stride, count), load_upto(p + 3 * stride, count));
      store_upto(y + i, F::both(a, b), count);
    });
    row = 4;
  } else {
    for_each_vector(cols, [=](Index i, Index count) { store_upto(y + i, load_upto(x + i, count), count); });
    row = 1;
  }
  for (; row + 4 <= rows; row += 4) {
    for_each_vector(cols, [=](Index i, Index count) {
      const T* p = x + row * stride + i;
      const Vec a = F::both(load_upto(p, count), load_upto(p + stride, count));
      const Vec b = F::both(load_upto(p + 2 * stride, count), load_upto(p + 3 * stride, count));
      store_upto(y + i, F::both(load_upto(y + i, count), F::both(a, b)), count);
    });
  }
  for (; row < rows; ++row) {
    for_each_vector(cols, [=](Index i, Index count) {
      store_upto(y + i, F::both(load_upto(y + i, count), load_upto(x + row * stride + i, count)), count);
    });
  }
}

template <class T>
constexpr void fill_storage(StorageTable<T>& table) {
  table.sum = sum<T>;
  table.dot = dot<T>;
  table.all_finite = all_finite<T>;
  table.sum_rows = reduce_rows<Sum, T>;
}

constexpr void fill(IsaTable& table) {
  fill_storage<float>(table);
  fill_storage(table.bf16);
  table.largest = extreme<Largest>;
  table.smallest = extreme<Smallest>;
  table.largest_rows = reduce_rows<Largest, float>;
  table.smallest_rows = reduce_rows<Smallest, float>;
}

}  // namespace

constexpr IsaTable reduce_kernels = filled(fill);

}  // namespace temper::kernels::TEMPER_ISA
