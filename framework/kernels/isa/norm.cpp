#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

/// Mean and variance of a row in double, for rows whose squares overflow or underflow in float.
template <class T>
void moments_in_double(const T* x, Index cols, bool centered, double& mean, double& variance) {
  const auto at = [=](Index i) { return static_cast<double>(load_part(x + i, 1).get(0)); };
  mean = variance = 0.0;
  for (Index i = 0; i < cols && centered; ++i) mean += at(i) / static_cast<double>(cols);
  mean = static_cast<double>(static_cast<float>(mean));  // deviations are taken from the mean as it is stored
  for (Index i = 0; i < cols; ++i) variance += (at(i) - mean) * (at(i) - mean) / static_cast<double>(cols);
}

template <class T>
void norm(const T* x, Index rows, Index cols, const float* weight, const float* bias, float eps, T* y, float* mean,
          float* inverse) {
  const double count_inverse = 1.0 / static_cast<double>(cols);
  for (Index row = 0; row < rows; ++row, x += cols, y += cols) {
    double average = 0.0;
    if (mean != nullptr) {
      average = count_inverse * blocked_sum(cols, [=](Index i, Index count) { return load_upto(x + i, count); });
    }
    Vec center(static_cast<float>(average));
    const double squares = blocked_sum(cols, [=](Index i, Index count) {
      const Vec d = zero_past(load_upto(x + i, count) - center, count);
      return d * d;
    });
    double variance = squares * count_inverse;
    if (!(variance + static_cast<double>(eps) > 1e-30 && variance < 1e36)) {
      moments_in_double(x, cols, mean != nullptr, average, variance);
      center = Vec(static_cast<float>(average));
    }
    if (mean != nullptr) mean[row] = static_cast<float>(average);
    const double deviation = __builtin_sqrt(variance + static_cast<double>(eps));
    const float scale = static_cast<float>(1.0 / deviation);
    inverse[row] = scale;
    for_each_vector(cols, [=](Index i, Index count) {
      Vec v = (load_upto(x + i, count) - center) * Vec(scale);
      if (weight != nullptr) v = v * load_upto(weight + i, count);
      if (bias != nullptr) v = v + load_upto(bias + i, count);
      store_upto(y + i, v, count);
    });
  }
}

/// Two sums at once, as blocked_sum: f(i, count, a, b) adds a vector of n elements to each of a and b.
template <class F>
void blocked_sums(Index n, double& first, double& second, F f) {
  constexpr Index block = 1024;
  first = second = 0.0;
  for (Index begin = 0; begin < n; begin += block) {
    const Index end = n - begin < block ? n : begin + block;
    Vec a0(0.0f), a1(0.0f), b0(0.0f), b1(0.0f);
    Index i = begin;
    for (; i + 2 * width <= end; i += 2 * width) {
      f(i, width, a0, b0);
      f(i + width, width, a1, b1);
    }
    for (; i < end; i += width) f(i, end - i < width ? end - i : width, a0, b0);
    first += static_cast<double>(sum_of_lanes(a0 + a1));
    second += static_cast<double>(sum_of_lanes(b0 + b1));
  }
}

template <class T, class G>
void norm_backward(const T* x, const T* dy, Index rows, Index cols, const float* weight, const float* mean,
                   const float* inverse, G* dx, bool accumulate, float* dweight, float* dbias) {
  const double count_inverse = 1.0 / static_cast<double>(cols);
  for (float* sum : {dweight, dbias}) {
    for (Index i = 0; i < cols && sum != nullptr; ++i) sum[i] = 0.0f;
  }
  for (Index row = 0; row < rows; ++row, x += cols, dy += cols) {
    const Vec center(mean != nullptr ? mean[row] : 0.0f), scale(inverse[row]);
    const auto normalized = [=](Index i, Index count) { return (load_upto(x + i, count) - center) * scale; };
    const auto times_weight = [=](Vec g, Index i, Index count) {  // the gradient of the normalized value
      return weight != nullptr ? g * load_upto(weight + i, count) : g;
    };
    double sum_g_z = 0.0, sum_g = 0.0;  // of the gradient of the normalized values z, times z or alone
    if (dx != nullptr) {
      blocked_sums(cols, sum_g_z, sum_g, [=](Index i, Index count, Vec& products, Vec& sum) {
        const Vec g = times_weight(load_upto(dy + i, count), i, count);  // 0 in lanes past count
        products = multiply_add(g, normalized(i, count), products);
        sum = sum + g;
      });
      if (mean == nullptr) sum_g = 0.0;
    }
    const Vec a(static_cast<float>(sum_g_z * count_inverse)), b(static_cast<float>(sum_g * count_inverse));
    for_each_vector(cols, [=](Index i, Index count) {
      const Vec g = load_upto(dy + i, count), z = normalized(i, count);
      if (dx != nullptr) {
        const Vec d = scale * subtract_product(times_weight(g, i, count) - b, z, a);
        store_upto(dx + i, accumulate ? load_upto(dx + i, count) + d : d, count);
      }
      if (dweight != nullptr) store_upto(dweight + i, multiply_add(g, z, load_upto(dweight + i, count)), count);
      if (dbias != nullptr) store_upto(dbias + i, load_upto(dbias + i, count) + g, count);
    });
    if (dx != nullptr) dx += cols;
  }
}

template <class T>
constexpr void fill_storage(StorageTable<T>& table) {
  table.norm = norm<T>;
  table.norm_backward = norm_backward<T, T>;
  table.norm_backward_in_float = norm_backward<T, float>;
}

constexpr void fill(IsaTable& table) {
  fill_storage<float>(table);
  fill_storage(table.bf16);
}

}  // namespace

constexpr IsaTable norm_kernels = filled(fill);

}  // namespace temper::kernels::TEMPER_ISA
