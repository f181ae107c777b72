#include <temper/autograd/ops/positions.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

#include "framework/core/format_internal.hpp"

namespace temper {

namespace {

void require_sizes(const char* name, std::int64_t a, std::int64_t b) {
  if (a < 0 || b < 0) fail<ValueError>("{}: sizes {} and {}, expected at least 0", name, a, b);
}

void require_features(const char* name, std::int64_t features, std::int64_t multiple, double base) {
  if (features < 0 || features % multiple != 0) {
    fail<ValueError>("{}: {} features, expected a multiple of {}", name, features, multiple);
  }
  if (!(base > 0.0)) fail<ValueError>("{}: base {}, expected above 0", name, base);
}

/// The features of one position.
void write_waves(std::int64_t position, std::int64_t features, double base, float* to) {
  for (std::int64_t i = 0; i < features; i += 2) {
    const double angle =
        static_cast<double>(position) * std::pow(base, -static_cast<double>(i) / static_cast<double>(features));
    *to++ = static_cast<float>(std::sin(angle));
    *to++ = static_cast<float>(std::cos(angle));
  }
}

/// The slope of a head among n, a power of 2.
double slope_of(std::int64_t head, std::int64_t n) {
  return std::exp2(-8.0 * static_cast<double>(head + 1) / static_cast<double>(n));
}

std::int64_t bucket_of(std::int64_t distance, const RelativeBucketOptions& options) {
  std::int64_t buckets = options.buckets, first = 0;
  if (options.bidirectional) {
    buckets /= 2;
    first = distance > 0 ? buckets : 0;
    distance = std::abs(distance);
  } else {
    distance = std::max<std::int64_t>(0, -distance);
  }
  const std::int64_t exact = buckets / 2;
  if (distance < exact) return first + distance;
  // In f32, as where the weights of these models come from.
  const float share =
      std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
      static_cast<float>(std::log(static_cast<double>(options.max_distance) / static_cast<double>(exact)));
  const auto far = static_cast<std::int64_t>(share * static_cast<float>(buckets - exact));
  return first + std::min(exact + far, buckets - 1);
}

}  // namespace

Tensor sinusoidal_positions(std::int64_t positions, std::int64_t features, double base) {
  constexpr const char* name = "sinusoidal_positions";
  require_sizes(name, positions, features);
  require_features(name, features, 2, base);
  Tensor y = empty({positions, features});
  float* const to = y.mutable_data<float>();
  for (std::int64_t p = 0; p < positions; ++p) write_waves(p, features, base, to + p * features);
  return y;
}

Tensor sinusoidal_positions(Pair2 size, std::int64_t features, double base) {
  constexpr const char* name = "sinusoidal_positions";
  require_sizes(name, size.h, size.w);
  require_features(name, features, 4, base);
  Tensor y = empty({size.h, size.w, features});
  float* to = y.mutable_data<float>();
  for (std::int64_t row = 0; row < size.h; ++row) {
    for (std::int64_t column = 0; column < size.w; ++column) {
      write_waves(row, features / 2, base, to);
      write_waves(column, features / 2, base, to + features / 2);
      to += features;
    }
  }
  return y;
}

Tensor alibi_bias(std::int64_t heads, std::int64_t queries, std::int64_t keys) {
  require_sizes("alibi_bias", queries, keys);
  if (heads < 1) fail<ValueError>("alibi_bias: {} heads, expected at least 1", heads);
  Tensor y = empty({heads, queries, keys});
  float* to = y.mutable_data<float>();
  const auto power = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(heads)));
  for (std::int64_t head = 0; head < heads; ++head) {
    const double slope = head < power ? slope_of(head, power) : slope_of(2 * (head - power), 2 * power);
    for (std::int64_t query = keys - queries; query < keys; ++query) {
      for (std::int64_t key = 0; key < keys; ++key) {
        *to++ = static_cast<float>(-slope * static_cast<double>(std::abs(query - key)));
      }
    }
  }
  return y;
}

Tensor relative_position_buckets(std::int64_t queries, std::int64_t keys, const RelativeBucketOptions& options) {
  constexpr const char* name = "relative_position_buckets";
  require_sizes(name, queries, keys);
  const std::int64_t exact = options.buckets / (options.bidirectional ? 4 : 2);
  if (exact < 1 || options.max_distance <= exact) {
    fail<ValueError>("{}: {} buckets up to distance {}, expected at least {} and more than {}", name, options.buckets,
                     options.max_distance, options.bidirectional ? 4 : 2, exact);
  }
  Tensor y = empty({queries, keys}, Dtype::i64);
  std::int64_t* to = y.mutable_data<std::int64_t>();
  for (std::int64_t query = 0; query < queries; ++query) {
    for (std::int64_t key = 0; key < keys; ++key) *to++ = bucket_of(key - query, options);
  }
  return y;
}

Tensor window_position_index(Pair2 window) {
  if (window.h < 1 || window.w < 1) {
    fail<ValueError>("window_position_index: window {} x {}, expected at least 1 x 1", window.h, window.w);
  }
  const std::int64_t places = window.h * window.w;
  Tensor y = empty({places, places}, Dtype::i64);
  std::int64_t* to = y.mutable_data<std::int64_t>();
  for (std::int64_t a = 0; a < places; ++a) {
    for (std::int64_t b = 0; b < places; ++b) {
      const std::int64_t rows = a / window.w - b / window.w + window.h - 1,
                         columns = a % window.w - b % window.w + window.w - 1;
      *to++ = rows * (2 * window.w - 1) + columns;
    }
  }
  return y;
}

}  // namespace temper
