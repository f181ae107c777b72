#include "framework/kernels/scan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 14;
constexpr Index panel = 256;           // columns that are summed side by side
constexpr Index piece_size = 1 << 16;  // elements of a panel that are summed by one task

/// What sums are gathered in.
template <class T>
using Total = std::conditional_t<std::is_same_v<T, std::int64_t>, std::uint64_t, double>;

template <class T>
Total<T> total_of(T x) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    return static_cast<std::uint64_t>(x);
  } else {
    return static_cast<double>(widened(x));
  }
}
template <class T>
T element_of(Total<T> total) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    return static_cast<std::int64_t>(total);
  } else {
    return narrowed<T>(static_cast<float>(total));
  }
}

/// One line of [outer, n, inner], read and written at its own stride.
struct Line {
  Index first, stride, n;
};

/// Calls body(line) for each, on several threads.
template <class Body>
void for_lines(const Scan& s, Body body) {
  parallel_for(s.outer * s.inner, std::max<Index>(1, grain / 8 / std::max<Index>(1, s.n)), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) body(Line{i / s.inner * s.n * s.inner + i % s.inner, s.inner, s.n}, i);
  });
}

}  // namespace

template <class T>
void cumsum(const Scan& s, const T* x, T* y) {
  if (s.outer * s.n * s.inner == 0) return;
  const Index panels = chunk_count(s.inner, panel), columns = std::min(s.inner, panel);
  const Index piece = piece_size / columns, pieces = chunk_count(s.n, piece);
  // Where the steps of a piece stand, in the order of the sum.
  const auto row = [&](Index o, Index step) { return (o * s.n + (s.reverse ? s.n - 1 - step : step)) * s.inner; };
  // [outer, pieces, inner]: what comes before each piece.
  Scratch<Total<T>> before;
  const auto for_pieces = [&](auto body) {
    const Index work = std::min(s.n, piece) * columns;
    parallel_for(s.outer * pieces * panels, std::max<Index>(1, grain / work), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const Index column = i % panels * panel, number = i / panels % pieces;
        body(i / panels / pieces, number, number * piece, std::min(s.n, (number + 1) * piece), column,
             std::min(columns, s.inner - column));
      }
    });
  };
  if (pieces > 1) {
    before = Scratch<Total<T>>(s.outer * pieces * s.inner);
    for_pieces([&](Index o, Index number, Index begin, Index end, Index column, Index count) {
      Total<T>* const total = before.row(o * pieces + number, s.inner) + column;
      std::fill_n(total, count, Total<T>{});
      for (Index step = begin; step < end; ++step) {
        const T* const from = x + row(o, step) + column;
        for (Index c = 0; c < count; ++c) total[c] += total_of(from[c]);
      }
    });
    for (Index o = 0; o < s.outer; ++o) {
      for (Index c = 0; c < s.inner; ++c) {
        Total<T> sum{};
        for (Index number = 0; number < pieces; ++number) {
          Total<T>& at = before.row(o * pieces + number, s.inner)[c];
          const Total<T> own = at;
          at = sum;
          sum += own;
        }
      }
    }
  }
  for_pieces([&](Index o, Index number, Index begin, Index end, Index column, Index count) {
    Total<T> total[panel] = {};
    if (pieces > 1) std::copy_n(before.row(o * pieces + number, s.inner) + column, count, total);
    for (Index step = begin; step < end; ++step) {
      const T* const from = x + row(o, step) + column;
      T* const to = y + row(o, step) + column;
      for (Index c = 0; c < count; ++c) {
        const Total<T> sum = total[c] + total_of(from[c]);
        to[c] = element_of<T>(s.exclusive ? total[c] : sum);
        total[c] = sum;
      }
    }
  });
}
template void cumsum(const Scan&, const float*, float*);
template void cumsum(const Scan&, const BFloat16*, BFloat16*);
template void cumsum(const Scan&, const std::int64_t*, std::int64_t*);

void cumprod(const Scan& s, const float* x, float* y) {
  for_lines(s, [=](const Line& line, Index) {
    double product = 1.0;
    for (Index k = 0; k < line.n; ++k) {
      const Index at = line.first + k * line.stride;
      product *= static_cast<double>(x[at]);
      y[at] = static_cast<float>(product);
    }
  });
}

void cumprod_backward(const Scan& s, const float* x, const float* dy, float* dx) {
  // With h = the sum over k >= j of dy[k] times the factors after j up to k, which has h[j] = dy[j] + x[j + 1] h[j +
  // 1], dx[j] is h[j] times the product of what comes before j. Nothing is divided by, so zeros are no exception.
  for_lines(s, [=](const Line& line, Index) {
    double after = 0.0;
    const Scratch<double> h(line.n);
    for (Index k = line.n - 1; k >= 0; --k) {
      const Index at = line.first + k * line.stride;
      after = static_cast<double>(dy[at]) + after;
      h[k] = after;
      after *= static_cast<double>(x[at]);
    }
    double before = 1.0;
    for (Index k = 0; k < line.n; ++k) {
      const Index at = line.first + k * line.stride;
      dx[at] = static_cast<float>(before * h[k]);
      before *= static_cast<double>(x[at]);
    }
  });
}

void logcumsumexp(const Scan& s, const float* x, float* y) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for_lines(s, [=](const Line& line, Index) {
    double largest = -infinity, sum = 0.0;  // the result is largest + log(sum)
    for (Index k = 0; k < line.n; ++k) {
      const Index at = line.first + k * line.stride;
      const auto value = static_cast<double>(x[at]);
      if (value == largest) {  // infinite ones, too
        sum += 1.0;
      } else if (value <= largest) {
        sum += std::exp(value - largest);
      } else {
        sum = sum * std::exp(largest - value) + 1.0;
        largest = value;
      }
      y[at] = static_cast<float>(std::isinf(largest) ? largest : largest + std::log(sum));
    }
  });
}

void logcumsumexp_backward(const Scan& s, const float* x, const float* y, const float* dy, float* dx) {
  // With r = the sum over k >= j of dy[k] exp(y[j] - y[k]), dx[j] is exp(x[j] - y[j]) r. No exponent is above 0.
  for_lines(s, [=](const Line& line, Index) {
    const auto ratio = [](float above, float below) {
      return above == below ? 1.0 : std::exp(static_cast<double>(above) - static_cast<double>(below));
    };
    double r = 0.0;
    for (Index k = line.n - 1; k >= 0; --k) {
      const Index at = line.first + k * line.stride;
      if (k + 1 < line.n) r *= ratio(y[at], y[at + line.stride]);
      r += static_cast<double>(dy[at]);
      // What is e^-inf does not move the sum.
      dx[at] = x[at] == -std::numeric_limits<float>::infinity() ? 0.0f : static_cast<float>(ratio(x[at], y[at]) * r);
    }
  });
}

void product(const Scan& s, const float* x, float* y) {
  for_lines(s, [=](const Line& line, Index number) {
    double product = 1.0;
    for (Index k = 0; k < line.n; ++k) product *= static_cast<double>(x[line.first + k * line.stride]);
    y[number] = static_cast<float>(product);
  });
}

void product_backward(const Scan& s, const float* x, const float* dy, float* dx) {
  for_lines(s, [=](const Line& line, Index number) {
    const Scratch<double> before(line.n);
    double product = static_cast<double>(dy[number]);
    for (Index k = 0; k < line.n; ++k) {
      before[k] = product;
      product *= static_cast<double>(x[line.first + k * line.stride]);
    }
    double after = 1.0;
    for (Index k = line.n - 1; k >= 0; --k) {
      const Index at = line.first + k * line.stride;
      dx[at] = static_cast<float>(before[k] * after);
      after *= static_cast<double>(x[at]);
    }
  });
}

}  // namespace temper::kernels
