#include "framework/kernels/batch_norm.hpp"

#include <algorithm>
#include <cmath>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

/// Elements of a chunk. It is read twice, so it has to fit the L1 cache.
constexpr Index grain = 1 << 12;

Index rows_per_chunk(const BatchNorm& s) { return std::max<Index>(1, grain / s.channels); }

/// Mean and variance of one channel in double, for numbers whose squares overflow or underflow in float.
template <class T>
void moments_in_double(const BatchNorm& s, const T* x, Index channel, double& mean, double& variance) {
  const auto at = [&](Index row) { return static_cast<double>(widened(x[row * s.channels + channel])); };
  mean = variance = 0.0;
  for (Index row = 0; row < s.rows; ++row) mean += at(row) / static_cast<double>(s.rows);
  mean = static_cast<double>(static_cast<float>(mean));  // deviations are taken from the mean as it is stored
  for (Index row = 0; row < s.rows; ++row) {
    variance += (at(row) - mean) * (at(row) - mean) / static_cast<double>(s.rows);
  }
}

float inverse_deviation(const BatchNorm& s, double variance) {
  return static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(s.epsilon)));
}

}  // namespace

template <class T>
void batch_norm_statistics(const BatchNorm& s, const T* x, float* mean, float* variance, float* inverse) {
  const Index c = s.channels, step = rows_per_chunk(s), chunks = chunk_count(s.rows, step);
  const Scratch<float> means(chunks * c), squares(chunks * c);
  const auto kernel = table_of<T>().column_moments;
  parallel_chunks(s.rows, step, [&](Index chunk, Index begin, Index end) {
    kernel(x + begin * c, end - begin, c, means.row(chunk, c), squares.row(chunk, c));
  });
  // The chunks' moments combined: squared deviations within each chunk, plus those of its mean from the overall mean.
  const Scratch<double> total(2 * c);
  double *const center = total.data(), *const spread = center + c;
  std::fill_n(center, 2 * c, 0.0);
  const auto size = [&](Index chunk) { return static_cast<double>(std::min(step, s.rows - chunk * step)); };
  const double count = static_cast<double>(s.rows);
  for (Index chunk = 0; chunk < chunks; ++chunk) {
    const float* part = means.row(chunk, c);
    for (Index i = 0; i < c; ++i) center[i] += size(chunk) * static_cast<double>(part[i]);
  }
  for (Index i = 0; i < c; ++i) center[i] /= count;
  for (Index chunk = 0; chunk < chunks; ++chunk) {
    const float *part = means.row(chunk, c), *within = squares.row(chunk, c);
    for (Index i = 0; i < c; ++i) {
      const double off = static_cast<double>(part[i]) - center[i];
      spread[i] += static_cast<double>(within[i]) + size(chunk) * off * off;
    }
  }
  for (Index i = 0; i < c; ++i) {
    spread[i] /= count;
    if (!(spread[i] + static_cast<double>(s.epsilon) > 1e-30 && spread[i] < 1e34)) {
      moments_in_double(s, x, i, center[i], spread[i]);
    }
    mean[i] = static_cast<float>(center[i]);
    variance[i] = static_cast<float>(spread[i]);
    inverse[i] = inverse_deviation(s, spread[i]);
  }
}

void inverse_deviations(const BatchNorm& s, const float* variance, float* inverse) {
  for (Index i = 0; i < s.channels; ++i) inverse[i] = inverse_deviation(s, static_cast<double>(variance[i]));
}

template <class T>
void batch_norm(const BatchNorm& s, const T* x, const float* gain, const float* bias, const float* mean,
                const float* inverse, const std::type_identity_t<T>* residual, bool relu, T* y) {
  const Index c = s.channels;
  const Scratch<float> scale(c);
  for (Index i = 0; i < c; ++i) scale[i] = gain[i] * inverse[i];
  const auto kernel = table_of<T>().batch_norm;
  parallel_for(s.rows, 4 * rows_per_chunk(s), [&](Index begin, Index end) {
    kernel({x + begin * c, mean, scale.data(), bias, residual != nullptr ? residual + begin * c : nullptr, relu},
           end - begin, c, y + begin * c);
  });
}

template <class T>
void batch_norm_backward(const BatchNorm& s, const BatchNormInputs<T>& inputs, const T* dy, T* dx, float* dgain,
                         float* dbias, std::type_identity_t<T>* dresidual) {
  const Index c = s.channels, step = rows_per_chunk(s);
  const Index chunks = inputs.own_statistics || dgain != nullptr || dbias != nullptr ? chunk_count(s.rows, step) : 0;
  const Scratch<float> sums(chunks * c), products(chunks * c);
  // Without x or mean their factor is 0 below, so any finite numbers do.
  const float* const mean = inputs.mean != nullptr ? inputs.mean : inputs.inverse;
  const auto x_at = [&, x = inputs.x != nullptr ? inputs.x : dy](Index row) { return x + row * c; };
  const auto y_at = [&](Index row) { return inputs.y != nullptr ? inputs.y + row * c : nullptr; };
  const auto kernel = table_of<T>().batch_norm_sums;
  parallel_chunks(chunks > 0 ? s.rows : 0, step, [&](Index chunk, Index begin, Index end) {
    kernel({x_at(begin), y_at(begin), dy + begin * c, mean}, end - begin, c, sums.row(chunk, c),
           products.row(chunk, c));
  });
  const Scratch<double> total(2 * c);
  double *const sum = total.data(), *const product = sum + c;
  std::fill_n(sum, 2 * c, 0.0);
  for (Index chunk = 0; chunk < chunks; ++chunk) {
    const float *part = sums.row(chunk, c), *part_product = products.row(chunk, c);
    for (Index i = 0; i < c; ++i) {
      sum[i] += static_cast<double>(part[i]);
      product[i] += static_cast<double>(part_product[i]);
    }
  }
  // dx = scale * (dz - mean_dz - (x - mean) * slope), with dz the gradient before ReLU.
  const Scratch<float> factors(3 * c);
  float *const scale = factors.data(), *const mean_dz = scale + c, *const slope = mean_dz + c;
  const double inverse_count = inputs.own_statistics ? 1.0 / static_cast<double>(s.rows) : 0.0;
  for (Index i = 0; i < c; ++i) {
    const float inverse = inputs.inverse[i];
    const double sum_dz_z = static_cast<double>(inverse) * product[i];  // of dz times the normalized x
    if (dbias != nullptr) dbias[i] = static_cast<float>(sum[i]);
    if (dgain != nullptr) dgain[i] = static_cast<float>(sum_dz_z);
    scale[i] = dx != nullptr ? inputs.gain[i] * inverse : 0.0f;
    mean_dz[i] = static_cast<float>(sum[i] * inverse_count);
    slope[i] = static_cast<float>(sum_dz_z * inverse_count * static_cast<double>(inverse));
  }
  if (dx == nullptr && dresidual == nullptr) return;
  const auto backward = table_of<T>().batch_norm_backward;
  parallel_for(s.rows, 4 * step, [&](Index begin, Index end) {
    backward({x_at(begin), y_at(begin), dy + begin * c, mean}, end - begin, c, {scale, mean_dz, slope},
             dx != nullptr ? dx + begin * c : nullptr, dresidual != nullptr ? dresidual + begin * c : nullptr);
  });
}

template void batch_norm_statistics(const BatchNorm&, const float*, float*, float*, float*);
template void batch_norm_statistics(const BatchNorm&, const BFloat16*, float*, float*, float*);
template void batch_norm(const BatchNorm&, const float*, const float*, const float*, const float*, const float*,
                         const float*, bool, float*);
template void batch_norm(const BatchNorm&, const BFloat16*, const float*, const float*, const float*, const float*,
                         const BFloat16*, bool, BFloat16*);
template void batch_norm_backward(const BatchNorm&, const BatchNormInputs<float>&, const float*, float*, float*, float*,
                                  float*);
template void batch_norm_backward(const BatchNorm&, const BatchNormInputs<BFloat16>&, const BFloat16*, BFloat16*,
                                  float*, float*, BFloat16*);

}  // namespace temper::kernels
