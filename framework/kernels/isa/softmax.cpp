#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/math.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

constexpr float minus_infinity = -__builtin_inff();

template <class T>
float largest(const T* x, Index n) {
  Vec best(minus_infinity);
  for_each_vector(n, [&](Index i, Index count) { best = max_or_nan(best, load_upto(x + i, count, minus_infinity)); });
  if (xsimd::any(xsimd::isnan(best))) return __builtin_nanf("");
  return largest_lane(best);
}

/// One contiguous line.
bool softmax_line(const float* x, Index n, bool log, float* y) {
  const float top = largest(x, n);
  if (top == minus_infinity) return true;
  const Vec shift(top);
  if (log) {
    const double sum = blocked_sum(
        n, [=](Index i, Index count) { return exponential(load_upto(x + i, count, minus_infinity) - shift); });
    const Vec log_sum(static_cast<float>(__builtin_log(sum)));
    transform(x, y, n, [=](Vec v) { return (v - shift) - log_sum; });
  } else {
    const double sum = blocked_sum(n, [=](Index i, Index count) {
      const Vec e = exponential(load_upto(x + i, count, minus_infinity) - shift);
      store_upto(y + i, e, count);
      return e;
    });
    const Vec inverse(static_cast<float>(1.0 / sum));
    transform(y, y, n, [=](Vec v) { return v * inverse; });
  }
  return false;
}

/// The sum of f(row) over n rows, in blocks, so that long sums keep their digits.
template <class F>
Vec sum_down(Index n, F f) {
  constexpr Index block = 64;
  Vec total(0.0f);
  for (Index begin = 0; begin < n; begin += block) {
    const Index end = n - begin < block ? n : begin + block;
    Vec part(0.0f);
    for (Index row = begin; row < end; ++row) part += f(row);
    total += part;
  }
  return total;
}

/// Up to a vector's width of neighbouring lines.
bool softmax_columns(const float* x, Index n, Index stride, Index count, bool log, float* y) {
  const auto at = [=](Index row) { return load_upto(x + row * stride, count); };
  Vec top = at(0);
  for (Index row = 1; row < n; ++row) top = max_or_nan(top, at(row));
  if (xsimd::any(top == Vec(minus_infinity))) return true;
  if (log) {
    const Vec log_sum = xsimd::log(sum_down(n, [=](Index row) { return exponential(at(row) - top); }));
    for (Index row = 0; row < n; ++row) store_upto(y + row * stride, (at(row) - top) - log_sum, count);
  } else {
    const Vec sum = sum_down(n, [=](Index row) {
      const Vec e = exponential(at(row) - top);
      store_upto(y + row * stride, e, count);
      return e;
    });
    const Vec inverse = Vec(1.0f) / sum;
    for (Index row = 0; row < n; ++row) {
      store_upto(y + row * stride, load_upto(y + row * stride, count) * inverse, count);
    }
  }
  return false;
}

bool softmax(const float* x, Index n, Index stride, Index cols, bool log, float* y) {
  if (stride == 1) return softmax_line(x, n, log, y);
  bool impossible = false;
  for_each_vector(cols, [&](Index i, Index count) {
    impossible = softmax_columns(x + i, n, stride, count, log, y + i) || impossible;
  });
  return impossible;
}

/// dx from y, dy and their sum over the line: of dy * y, or of dy when `log`.
Vec gradient(Vec y, Vec dy, Vec sum, bool log) {
  return log ? subtract_product(dy, exponential(y), sum) : y * (dy - sum);
}

void softmax_backward(const float* y, const float* dy, Index n, Index stride, Index cols, bool log, float* dx) {
  if (stride == 1) {
    const double sum = blocked_sum(n, [=](Index i, Index count) {
      const Vec g = load_upto(dy + i, count);
      return log ? g : g * load_upto(y + i, count);
    });
    transform(y, dy, dx, n, [=](Vec v, Vec g) { return gradient(v, g, Vec(static_cast<float>(sum)), log); });
    return;
  }
  for_each_vector(cols, [=](Index i, Index count) {
    const auto at = [=](const float* p, Index row) { return load_upto(p + i + row * stride, count); };
    const Vec sum = sum_down(n, [=](Index row) { return log ? at(dy, row) : at(dy, row) * at(y, row); });
    for (Index row = 0; row < n; ++row) {
      store_upto(dx + i + row * stride, gradient(at(y, row), at(dy, row), sum, log), count);
    }
  });
}

template <class T>
bool exponentials(float* x, Index n, float scale, T* y, float* stats) {
  transform(x, x, n, [=](Vec v) { return v * Vec(scale); });
  const float top = largest(x, n);
  if (top == minus_infinity) return true;
  const Vec shift(top);
  const double sum = blocked_sum(n, [=](Index i, Index count) {
    const Vec e = exponential(load_upto(x + i, count, minus_infinity) - shift);
    store_upto(y + i, e, count);
    return e;
  });
  stats[0] = shift.get(0);
  stats[1] = static_cast<float>(1.0 / sum);
  return false;
}

template <class T>
void attention_backward(const float* x, const float* dy, Index n, float scale, const float* stats, float sum_y_dy,
                        float dscale, T* y, T* dx) {
  const Vec factor(scale), shift(stats[0]), inverse(stats[1]), sum(sum_y_dy), dx_scale(dscale);
  for_each_vector(n, [=](Index i, Index count) {
    const Vec p = exponential(load_upto(x + i, count) * factor - shift) * inverse;
    const Vec dp = load_upto(dy + i, count);
    store_upto(y + i, p, count);
    // A hidden key has the probability 0 and the gradient 0, even where dp is infinite or NaN.
    store_upto(dx + i, xsimd::select(p == Vec(0.0f), p, p * (dp - sum) * dx_scale), count);
  });
}

template <class T>
void log_sum_exp(const T* x, Index n, float* top, double* sum) {
  *top = largest(x, n);
  const Vec shift(*top);
  *sum = blocked_sum(
      n, [=](Index i, Index count) { return exponential(load_upto(x + i, count, minus_infinity) - shift); });
}

template <class T>
void cross_entropy_backward(const T* x, Index n, float top, float inverse_sum, float uniform, float scale, T* dx) {
  transform(x, dx, n, [=](Vec v) {
    return Vec(scale) * multiply_add(exponential(v - Vec(top)), Vec(inverse_sum), Vec(-uniform));
  });
}

template <class T>
double soft_cross_entropy(const T* x, const float* p, Index n, float top, float log_sum) {
  return blocked_sum(n, [=](Index i, Index count) {
    const Vec target = load_upto(p + i, count);
    const Vec loss = target * ((Vec(top) - load_upto(x + i, count)) + Vec(log_sum));
    return xsimd::select(target == Vec(0.0f), Vec(0.0f), loss);
  });
}

template <class T>
void soft_cross_entropy_backward(const T* x, const float* p, Index n, float top, float inverse_sum, float total,
                                 float scale, T* dx) {
  const Vec factor(inverse_sum * total);
  transform(x, p, dx, n,
            [=](Vec v, Vec target) { return Vec(scale) * multiply_add(exponential(v - Vec(top)), factor, -target); });
}

template <class T>
void soft_cross_entropy_target(const T* x, Index n, float top, float log_sum, float scale, float* dp) {
  transform(x, dp, n, [=](Vec v) { return Vec(scale) * ((Vec(top) - v) + Vec(log_sum)); });
}

template <class T>
constexpr void fill_storage(StorageTable<T>& table) {
  table.exponentials = exponentials<T>;
  table.attention_backward = attention_backward<T>;
  table.log_sum_exp = log_sum_exp<T>;
  table.cross_entropy_backward = cross_entropy_backward<T>;
  table.soft_cross_entropy = soft_cross_entropy<T>;
  table.soft_cross_entropy_backward = soft_cross_entropy_backward<T>;
  table.soft_cross_entropy_target = soft_cross_entropy_target<T>;
}

constexpr void fill(IsaTable& table) {
  table.softmax = softmax;
  table.softmax_backward = softmax_backward;
  fill_storage<float>(table);
  fill_storage(table.bf16);
}

}  // namespace

constexpr IsaTable softmax_kernels = filled(fill);

}  // namespace temper::kernels::TEMPER_ISA
