#include "framework/kernels/rows.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/isa.hpp"

namespace temper::kernels {

namespace {

/// Sorts numbers by their upper halves, which have `bits` bits, leaving the order of equal ones. The result is in one
/// of the two buffers.
std::uint64_t* sorted_by_upper_half(std::uint64_t* from, std::uint64_t* to, Index count, int bits) {
  constexpr int most_bits = 11;
  const int passes = (bits + most_bits - 1) / most_bits;
  for (int pass = 0; pass < passes; ++pass) {
    const int digit_bits = (bits + passes - 1) / passes, shift = 32 + pass * digit_bits;
    const std::uint64_t mask = (std::uint64_t{1} << digit_bits) - 1;
    std::array<std::uint32_t, 1 << most_bits> next{};
    for (Index i = 0; i < count; ++i) ++next[(from[i] >> shift) & mask];
    std::uint32_t begin = 0;
    for (std::uint32_t& digit : next) begin += std::exchange(digit, begin);
    for (Index i = 0; i < count; ++i) to[next[(from[i] >> shift) & mask]++] = from[i];
    std::swap(from, to);
  }
  return from;
}

}  // namespace

Places::Places(const std::int64_t* ids, Index count, Index padding) {
  const Scratch<std::uint64_t> keys(count), spare(count);
  std::uint64_t all = 0;
  for (Index i = 0; i < count; ++i) {
    if (ids[i] == padding) continue;
    const auto id = static_cast<std::uint64_t>(ids[i]);
    keys[count_++] = id << 32 | static_cast<std::uint64_t>(i);
    all |= id;
  }
  const std::uint64_t* const sorted =
      sorted_by_upper_half(keys.data(), spare.data(), count_, static_cast<int>(std::bit_width(all)));
  ids_ = Scratch<std::int64_t>(count_);
  first_ = Scratch<std::uint32_t>(count_ + 1);
  places_ = Scratch<std::uint32_t>(count_);
  for (Index i = 0; i < count_; ++i) {
    const auto id = static_cast<std::int64_t>(sorted[i] >> 32);
    places_[i] = static_cast<std::uint32_t>(sorted[i]);
    if (rows_ > 0 && ids_[rows_ - 1] == id) continue;
    first_[rows_] = static_cast<std::uint32_t>(i);
    ids_[rows_++] = id;
  }
  first_[rows_] = static_cast<std::uint32_t>(count_);
}

template <class Begin, class F>
void Places::each(Index width, Begin begin, F f) const {
  // Cut by places, as few rows may have most of them. A row belongs to the chunk that its first place is in.
  const Index chunk = std::max<Index>(1, (1 << 14) / std::max<Index>(1, width));
  parallel_for(count_, chunk, [&](Index from, Index to) {
    const std::uint32_t *const firsts = first_.data(), *const end = firsts + rows_;
    const auto row_at = [&](Index place) {
      return std::lower_bound(firsts, end, static_cast<std::uint32_t>(place)) - firsts;
    };
    for (Index row = row_at(from), last = row_at(to); row < last; ++row) {
      begin(row);
      for (Index i = firsts[row]; i < firsts[row + 1]; ++i) f(row, static_cast<Index>(places_[i]));
    }
  });
}

template <class T>
void Places::sum(const T* x, Index width, const std::int32_t* source, const float* factor, float* values) const {
  const auto add = accumulate_kernel<float, T>();
  each(
      width, [=](Index row) { std::fill_n(values + row * width, width, 0.0f); },
      [=](Index row, Index place) {
        const T* const from = x + (source != nullptr ? source[place] : place) * width;
        float* const to = values + row * width;
        if (factor == nullptr) {
          add(to, from, width);
        } else {
          for (Index c = 0; c < width; ++c) to[c] += factor[place] * widened(from[c]);
        }
      });
}
template void Places::sum(const float*, Index, const std::int32_t*, const float*, float*) const;
template void Places::sum(const BFloat16*, Index, const std::int32_t*, const float*, float*) const;

template <class T>
void Places::sum_chosen(const T* x, Index width, const std::int32_t* source, const std::int64_t* which,
                        float* values) const {
  each(
      width, [=](Index row) { std::fill_n(values + row * width, width, 0.0f); },
      [=](Index row, Index place) {
        const Index from = source[place] * width;
        for (Index c = 0; c < width; ++c) {
          if (which[from + c] == place) values[row * width + c] += widened(x[from + c]);
        }
      });
}
template void Places::sum_chosen(const float*, Index, const std::int32_t*, const std::int64_t*, float*) const;
template void Places::sum_chosen(const BFloat16*, Index, const std::int32_t*, const std::int64_t*, float*) const;

}  // namespace temper::kernels
