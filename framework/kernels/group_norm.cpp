#include "framework/kernels/group_norm.hpp"

#include <algorithm>
#include <cmath>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

/// Rows of a chunk of an example. It is read twice, so it has to fit the L1 cache.
Index chunk_rows(const GroupNorm& s) { return std::max<Index>(1, 4096 / s.channels); }

/// Mean and variance of a group in double, for numbers whose squares overflow or underflow in float.
template <class T>
void moments_in_double(const GroupNorm& s, const T* x, Index group, double& mean, double& variance) {
  const Index width = s.channels / s.groups;
  const double count = static_cast<double>(s.places * width);
  const auto sum = [&](auto term) {
    double total = 0.0;
    for (Index place = 0; place < s.places; ++place) {
      for (Index c = group * width; c < (group + 1) * width; ++c) {
        total += term(static_cast<double>(widened(x[place * s.channels + c]))) / count;
      }
    }
    return total;
  };
  mean = static_cast<double>(static_cast<float>(sum([](double value) { return value; })));
  variance = sum([&](double value) { return (value - mean) * (value - mean); });
}

/// The statistics of one example, from the moments of its chunks' channels: the squared deviations within each, plus
/// those of each mean from the group's.
template <class T>
void statistics(const GroupNorm& s, const T* x, float* mean, float* inverse) {
  const Index c = s.channels, width = c / s.groups, step = chunk_rows(s), chunks = chunk_count(s.places, step);
  const Scratch<float> means(chunks * c), squares(chunks * c);
  for (Index chunk = 0; chunk < chunks; ++chunk) {
    table_of<T>().column_moments(x + chunk * step * c, std::min(step, s.places - chunk * step), c, means.row(chunk, c),
                                 squares.row(chunk, c));
  }
  const double count = static_cast<double>(s.places * width);
  for (Index group = 0; group < s.groups; ++group) {
    const auto over_parts = [&](auto term) {
      double total = 0.0;
      for (Index chunk = 0; chunk < chunks; ++chunk) {
        const auto rows = static_cast<double>(std::min(step, s.places - chunk * step));
        for (Index i = group * width; i < (group + 1) * width; ++i) {
          total +=
              term(rows, static_cast<double>(means.row(chunk, c)[i]), static_cast<double>(squares.row(chunk, c)[i]));
        }
      }
      return total / count;
    };
    double center = over_parts([](double rows, double part, double) { return rows * part; });
    double variance = over_parts(
        [&](double rows, double part, double within) { return within + rows * (part - center) * (part - center); });
    if (!(variance + static_cast<double>(s.epsilon) > 1e-30 && variance < 1e34)) {
      moments_in_double(s, x, group, center, variance);
    }
    mean[group] = static_cast<float>(center);
    inverse[group] = static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(s.epsilon)));
  }
}

}  // namespace

template <class T>
void group_norm(const GroupNorm& s, const T* x, const float* weight, const float* bias, T* y, float* mean,
                float* inverse) {
  const Index c = s.channels, width = c / s.groups;
  parallel_for(s.n, 1, [&](Index example, Index) {
    const T* const from = x + example * s.places * c;
    float *const means = mean + example * s.groups, *const inverses = inverse + example * s.groups;
    statistics(s, from, means, inverses);
    const Scratch<float> factors(3 * c);
    float *const center = factors.data(), *const scale = center + c, *const shift = scale + c;
    for (Index i = 0; i < c; ++i) {
      center[i] = means[i / width];
      scale[i] = inverses[i / width] * (weight != nullptr ? weight[i] : 1.0f);
      shift[i] = bias != nullptr ? bias[i] : 0.0f;
    }
    table_of<T>().batch_norm({from, center, scale, shift, nullptr, false}, s.places, c, y + example * s.places * c);
  });
}
template void group_norm(const GroupNorm&, const float*, const float*, const float*, float*, float*, float*);
template void group_norm(const GroupNorm&, const BFloat16*, const float*, const float*, BFloat16*, float*, float*);

template <class T>
void group_norm_backward(const GroupNorm& s, const T* x, const float* weight, const float* mean, const float* inverse,
                         const T* dy, T* dx, float* dweight, float* dbias) {
  const Index c = s.channels, width = c / s.groups, step = chunk_rows(s), chunks = chunk_count(s.places, step);
  parallel_for(s.n, 1, [&](Index example, Index) {
    const T* const gradient = dy + example * s.places * c;
    const T* const from = x != nullptr ? x + example * s.places * c : gradient;  // for dbias alone it does not matter
    const Scratch<float> center(c), part(2 * c);
    for (Index i = 0; i < c; ++i) center[i] = mean[example * s.groups + i / width];
    const Scratch<double> sums(2 * c);
    std::fill_n(sums.data(), 2 * c, 0.0);
    double *const sum = sums.data(), *const product = sum + c;
    for (Index chunk = 0; chunk < chunks; ++chunk) {
      const Index first = chunk * step * c;
      table_of<T>().batch_norm_sums({from + first, nullptr, gradient + first, center.data()},
                                    std::min(step, s.places - chunk * step), c, part.data(), part.data() + c);
      for (Index i = 0; i < 2 * c; ++i) sum[i] += static_cast<double>(part[i]);
    }
    for (Index i = 0; i < c; ++i) {
      const auto scale = static_cast<double>(inverse[example * s.groups + i / width]);
      if (dweight != nullptr) dweight[example * c + i] = static_cast<float>(product[i] * scale);
      if (dbias != nullptr) dbias[example * c + i] = static_cast<float>(sum[i]);
    }
    if (dx == nullptr) return;
    // dx = scales * dy - shift - slope * (x - mean). With g the gradient of the normalized x, z, and inverse =
    // 1 / deviation: shift = inverse * mean(g), slope = inverse^2 * mean(g z).
    const Scratch<float> factors(3 * c);
    float *const scales = factors.data(), *const shift = scales + c, *const slope = shift + c;
    const double inverse_count = 1.0 / static_cast<double>(s.places * width);
    for (Index group = 0; group < s.groups; ++group) {
      const auto scale = static_cast<double>(inverse[example * s.groups + group]);
      double sum_g = 0.0, sum_g_z = 0.0;
      for (Index i = group * width; i < (group + 1) * width; ++i) {
        const double gain = weight != nullptr ? static_cast<double>(weight[i]) : 1.0;
        sum_g += gain * sum[i];
        sum_g_z += gain * product[i] * scale;
      }
      for (Index i = group * width; i < (group + 1) * width; ++i) {
        scales[i] = static_cast<float>(scale) * (weight != nullptr ? weight[i] : 1.0f);
        shift[i] = static_cast<float>(scale * sum_g * inverse_count);
        slope[i] = static_cast<float>(scale * scale * sum_g_z * inverse_count);
      }
    }
    T* const to = dx + example * s.places * c;
    for (Index place = 0; place < s.places; ++place) {
      for (Index i = 0; i < c; ++i) {
        const Index at = place * c + i;
        const float off_mean = widened(from[at]) - center[i];
        to[at] = narrowed<T>(scales[i] * widened(gradient[at]) - shift[i] - slope[i] * off_mean);
      }
    }
  });
}
template void group_norm_backward(const GroupNorm&, const float*, const float*, const float*, const float*,
                                  const float*, float*, float*, float*);
template void group_norm_backward(const GroupNorm&, const BFloat16*, const float*, const float*, const float*,
                                  const BFloat16*, BFloat16*, float*, float*);

}  // namespace temper::kernels
