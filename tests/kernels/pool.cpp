#include "framework/kernels/pool.hpp"

#include <cstring>
#include <limits>

#include "framework/kernels/isa.hpp"
#include "onednn_reference.hpp"

using namespace reference;
using temper::kernels::Pool2d;

namespace {

Pool2d sized(Pool2d s) {
  s.out_h = (s.h + 2 * s.padding_h - s.kernel_h) / s.stride_h + 1;
  s.out_w = (s.w + 2 * s.padding_w - s.kernel_w) / s.stride_w + 1;
  return s;
}

std::size_t inputs(const Pool2d& s) { return static_cast<std::size_t>(s.n * s.h * s.w * s.channels); }
std::size_t outputs(const Pool2d& s) { return static_cast<std::size_t>(s.n * s.out_h * s.out_w * s.channels); }

/// Calls tap(y, x, number, count) for the elements of every window that are inside the image, row by row: the indices
/// of output and input, the element's number in the window, and the number of elements inside the image.
template <class Tap>
void each_tap(const Pool2d& s, Tap tap) {
  for (Index n = 0; n < s.n; ++n) {
    for (Index row = 0; row < s.out_h; ++row) {
      for (Index column = 0; column < s.out_w; ++column) {
        const Index top = row * s.stride_h - s.padding_h, left = column * s.stride_w - s.padding_w;
        const Index inside = (std::min(s.h, top + s.kernel_h) - std::max<Index>(0, top)) *
                             (std::min(s.w, left + s.kernel_w) - std::max<Index>(0, left));
        for (Index i = 0; i < s.kernel_h; ++i) {
          for (Index j = 0; j < s.kernel_w; ++j) {
            const Index h = top + i, w = left + j;
            if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
            for (Index c = 0; c < s.channels; ++c) {
              tap(static_cast<std::size_t>(((n * s.out_h + row) * s.out_w + column) * s.channels + c),
                  static_cast<std::size_t>(((n * s.h + h) * s.w + w) * s.channels + c), i * s.kernel_w + j, inside);
            }
          }
        }
      }
    }
  }
}

using Bytes = std::vector<std::byte>;

/// Numbers of a window's elements as max_pool2d writes them.
std::vector<float> numbers(const Pool2d& s, const Bytes& which) {
  std::vector<float> result(outputs(s));
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (s.number_bytes() == 1) {
      result[i] = static_cast<float>(which[i]);
    } else {
      std::memcpy(&result[i], which.data() + 4 * i, 4);
    }
  }
  return result;
}

Bytes room_for_numbers(const Pool2d& s) {
  return Bytes(outputs(s) * static_cast<std::size_t>(s.number_bytes()), std::byte{99});
}

/// Equal, NaN included.
bool same(const Floats& a, const Floats& b) {
  return std::ranges::equal(a, b, [](float u, float v) { return u == v || (std::isnan(u) && std::isnan(v)); });
}

void check_max(const Pool2d& s, const Floats& x, Random& random) {
  const Floats dy = random.floats(static_cast<Index>(outputs(s)));
  Floats expected(outputs(s), -std::numeric_limits<float>::infinity());
  std::vector<Index> taken(outputs(s), -1);
  std::vector<std::size_t> from(outputs(s));
  each_tap(s, [&](std::size_t iy, std::size_t ix, Index number, Index) {
    if (taken[iy] < 0 || x[ix] > expected[iy] || std::isnan(x[ix])) {
      expected[iy] = x[ix];
      taken[iy] = number;
      from[iy] = ix;
    }
  });
  Sums expected_dx(inputs(s));
  for (std::size_t i = 0; i < outputs(s); ++i) expected_dx[from[i]].add(dy[i]);

  // Each result has one guard element at its end.
  Floats y(outputs(s) + 1, 99.0f), alone = y, dx(inputs(s) + 1, 99.0f);
  Bytes which = room_for_numbers(s);
  which.push_back(std::byte{99});
  temper::kernels::max_pool2d(s, x.data(), y.data(), which.data());
  temper::kernels::max_pool2d(s, x.data(), alone.data(), nullptr);
  temper::kernels::max_pool2d_backward(s, dy.data(), which.data(), dx.data());
  CHECK(which.back() == std::byte{99});
  for (Floats* result : {&y, &alone, &dx}) {
    CHECK(result->back() == 99.0f);
    result->pop_back();
  }
  CHECK(same(y, expected));
  CHECK(same(alone, expected));
  CHECK(std::ranges::equal(numbers(s, which), taken, [](float a, Index b) { return a == static_cast<float>(b); }));
  CHECK(worst(dx, expected_dx) <= 1.0);
}

void check_avg(const Pool2d& s, Random& random) {
  const Floats x = random.floats(static_cast<Index>(inputs(s))), dy = random.floats(static_cast<Index>(outputs(s)));
  Sums expected(outputs(s)), expected_dx(inputs(s));
  each_tap(s, [&](std::size_t iy, std::size_t ix, Index, Index inside) {
    const auto divisor = static_cast<double>(s.count_padding ? s.kernel_h * s.kernel_w : inside);
    expected[iy].add(x[ix] / divisor);
    expected_dx[ix].add(dy[iy] / divisor);
  });
  Floats y(outputs(s) + 1, 99.0f), dx(inputs(s) + 1, 99.0f);
  temper::kernels::avg_pool2d(s, x.data(), y.data());
  temper::kernels::avg_pool2d_backward(s, dy.data(), dx.data());
  for (Floats* result : {&y, &dx}) {
    CHECK(result->back() == 99.0f);
    result->pop_back();
  }
  CHECK(worst(y, expected) <= 1.0);
  CHECK(worst(dx, expected_dx) <= 1.0);
}

void check(Pool2d s, Random& random) {
  s = sized(s);
  CAPTURE(s.n);
  CAPTURE(s.h);
  CAPTURE(s.w);
  CAPTURE(s.channels);
  CAPTURE(s.kernel_h);
  CAPTURE(s.kernel_w);
  CAPTURE(s.stride_h);
  CAPTURE(s.stride_w);
  CAPTURE(s.padding_h);
  CAPTURE(s.padding_w);
  Floats x = random.floats(static_cast<Index>(inputs(s)));
  check_max(s, x, random);
  for (float& value : x) value = static_cast<float>(random.between(-1, 1));  // with many ties
  check_max(s, x, random);
  for (float& value : x) value = random.between(0, 9) == 0 ? NAN : value;
  check_max(s, x, random);
  check_avg(s, random);
  s.count_padding = false;
  check_avg(s, random);
}

Pool2d random_case(Random& random) {
  Pool2d s;
  do {
    s = {.n = random.between(1, 3),
         .h = random.between(1, 10),
         .w = random.between(1, 10),
         .channels = random.one_of<Index>({1, 2, 3, 6, 8, 9, 16, 17, 33}),
         .kernel_h = random.between(1, 5),
         .kernel_w = random.between(1, 5),
         .stride_h = random.between(1, 6),
         .stride_w = random.between(1, 6)};
    s.padding_h = random.between(0, s.kernel_h / 2);
    s.padding_w = random.between(0, s.kernel_w / 2);
  } while (s.h + 2 * s.padding_h < s.kernel_h || s.w + 2 * s.padding_w < s.kernel_w);
  return s;
}

struct Results {
  Floats y;
  Bytes which;
  Floats dx, mean, dmean;
  friend bool operator==(const Results&, const Results&) = default;
};

}  // namespace

TEST_CASE("pooling agrees with loops at channel counts around the vectors' width") {
  Random random(21);
  for (const Index channels : {1, 7, 8, 9, 15, 16, 17, 31, 33}) {
    check({.n = 2, .h = 6, .w = 5, .channels = channels, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2},
          random);
    check({.n = 1, .h = 1, .w = 1, .channels = channels}, random);
    check({.n = 2, .h = 6, .w = 5, .channels = channels, .kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1},
          random);
  }
  check({.n = 0, .h = 4, .w = 4, .channels = 3, .kernel_h = 2, .kernel_w = 2}, random);
  check({.n = 2, .h = 7, .w = 7, .channels = 20, .kernel_h = 7, .kernel_w = 7}, random);
  // Windows of 255 and 272 elements: up to 255, elements are numbered in bytes.
  check({.n = 2, .h = 16, .w = 20, .channels = 17, .kernel_h = 15, .kernel_w = 17, .stride_w = 2}, random);
  check({.n = 2, .h = 17, .w = 20, .channels = 17, .kernel_h = 16, .kernel_w = 17, .stride_w = 2}, random);
}

TEST_CASE("pooling of random shapes") {
  Random random(22);
  const int count = random_shapes(0.3);
  for (int i = 0; i < count; ++i) check(random_case(random), random);
}

TEST_CASE("pooling has the same bits on any number of threads and any instruction set") {
  Random random(23);
  const Pool2d s = sized({.n = 7,
                          .h = 33,
                          .w = 30,
                          .channels = 19,
                          .kernel_h = 3,
                          .kernel_w = 3,
                          .stride_h = 2,
                          .stride_w = 2,
                          .padding_h = 1,
                          .padding_w = 1});
  const Floats x = random.floats(static_cast<Index>(inputs(s))), dy = random.floats(static_cast<Index>(outputs(s)));
  const auto empty = [&] {
    return Results{Floats(outputs(s)), room_for_numbers(s), Floats(inputs(s)), Floats(outputs(s)), Floats(inputs(s))};
  };
  Results first;
  for (const int count : {1, 2, 3}) {
    const Threads threads(count);
    Results r = empty();
    temper::kernels::max_pool2d(s, x.data(), r.y.data(), r.which.data());
    temper::kernels::max_pool2d_backward(s, dy.data(), r.which.data(), r.dx.data());
    temper::kernels::avg_pool2d(s, x.data(), r.mean.data());
    temper::kernels::avg_pool2d_backward(s, dy.data(), r.dmean.data());
    if (count == 1) first = r;
    CHECK(r == first);
  }
  for (const temper::kernels::Isa isa : temper::kernels::supported_isas()) {
    Results r = empty();
    const auto& kernels = temper::kernels::table(isa);
    kernels.max_pool(s, 0, s.n * s.out_h, x.data(), r.y.data(), r.which.data());
    kernels.max_pool_backward(s, 0, s.n * s.h, dy.data(), r.which.data(), r.dx.data());
    kernels.avg_pool(s, 0, s.n * s.out_h, x.data(), r.mean.data());
    kernels.avg_pool_backward(s, 0, s.n * s.h, dy.data(), r.dmean.data());
    CHECK(r == first);
  }
}
