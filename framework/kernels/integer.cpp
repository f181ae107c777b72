#include "framework/kernels/integer.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "framework/kernels/broadcast_internal.hpp"

namespace temper::kernels {

namespace {

/// y = f(a, b), one element at a time.
template <class A, class Y, class F>
void by_element(const A* a, const Shape& a_shape, const A* b, const Shape& b_shape, Y* y, const Shape& y_shape, F f) {
  Broadcast<2>(y_shape, {&a_shape, &b_shape})
      .for_each_run([&](const auto& at, const auto& stride, Index begin, Index n) {
        for (Index i = 0; i < n; ++i) y[begin + i] = f(a[at[0] + i * stride[0]], b[at[1] + i * stride[1]]);
      });
}

/// f(a, b) of unsigned numbers, which wrap around.
template <class F>
auto wrapping(F f) {
  return [f](std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(f(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
  };
}

// The smallest number divided by -1 is no i64: the division would trap. It wraps around.

std::int64_t truncated(std::int64_t a, std::int64_t b) {
  return b == -1 ? wrapping([](auto x, auto) { return 0 - x; })(a, b) : a / b;
}
std::int64_t rest(std::int64_t a, std::int64_t b) { return b == -1 ? 0 : a % b; }

template <class F>
void with_operation(Integer op, F run) {
  switch (op) {
    case Integer::add: return run(wrapping([](auto a, auto b) { return a + b; }));
    case Integer::sub: return run(wrapping([](auto a, auto b) { return a - b; }));
    case Integer::mul: return run(wrapping([](auto a, auto b) { return a * b; }));
    case Integer::maximum: return run([](std::int64_t a, std::int64_t b) { return std::max(a, b); });
    case Integer::minimum: return run([](std::int64_t a, std::int64_t b) { return std::min(a, b); });
    case Integer::bit_and: return run([](std::int64_t a, std::int64_t b) { return a & b; });
    case Integer::bit_or: return run([](std::int64_t a, std::int64_t b) { return a | b; });
    case Integer::bit_xor: return run([](std::int64_t a, std::int64_t b) { return a ^ b; });
    case Integer::shift_left: return run([](std::int64_t a, std::int64_t b) { return a << b; });
    case Integer::shift_right: return run([](std::int64_t a, std::int64_t b) { return a >> b; });
    case Integer::floor_divide:
      return run([](std::int64_t a, std::int64_t b) {
        return truncated(a, b) - ((rest(a, b) != 0 && (a < 0) != (b < 0)) ? 1 : 0);
      });
    case Integer::truncate_divide: return run(truncated);
    case Integer::remainder:
      return run([](std::int64_t a, std::int64_t b) {
        const std::int64_t r = rest(a, b);
        return r != 0 && (r < 0) != (b < 0) ? r + b : r;
      });
    case Integer::fmod: return run(rest);
  }
}

float floored_rest(float a, float b) {
  const float r = std::fmod(a, b);
  return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
}

/// floor(a / b) of the exact quotient, which rounding may have lifted to the next whole number.
float floored(float a, float b) {
  if (b == 0.0f || std::isinf(a)) return a / b;
  const float quotient = (a - floored_rest(a, b)) / b, whole = std::floor(quotient);
  return quotient - whole > 0.5f ? whole + 1.0f : whole;
}

}  // namespace

void integer(Integer op, const std::int64_t* a, const Shape& a_shape, const std::int64_t* b, const Shape& b_shape,
             std::int64_t* y, const Shape& y_shape) {
  with_operation(op, [&](auto f) { by_element(a, a_shape, b, b_shape, y, y_shape, f); });
}

void quotient(Integer op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y,
              const Shape& y_shape) {
  const auto run = [&](auto f) { by_element(a, a_shape, b, b_shape, y, y_shape, f); };
  switch (op) {
    case Integer::floor_divide: return run(floored);
    case Integer::truncate_divide: return run([](float u, float v) { return std::trunc(u / v); });
    case Integer::remainder: return run(floored_rest);
    default: return run([](float u, float v) { return std::fmod(u, v); });
  }
}

void logical(Logical op, const bool* a, const Shape& a_shape, const bool* b, const Shape& b_shape, bool* y,
             const Shape& y_shape) {
  const auto run = [&](auto f) { by_element(a, a_shape, b, b_shape, y, y_shape, f); };
  switch (op) {
    case Logical::conjunction: return run([](bool u, bool v) { return u && v; });
    case Logical::disjunction: return run([](bool u, bool v) { return u || v; });
    case Logical::exclusive: return run([](bool u, bool v) { return u != v; });
  }
}

void choose_elements(const bool* condition, const Shape& condition_shape, const void* a, const Shape& a_shape,
                     const void* b, const Shape& b_shape, Index bytes, void* y, const Shape& y_shape) {
  const auto run = [&]<class Element>() {
    const auto *u = static_cast<const Element*>(a), *v = static_cast<const Element*>(b);
    auto* const to = static_cast<Element*>(y);
    Broadcast<3>(y_shape, {&condition_shape, &a_shape, &b_shape})
        .for_each_run([=](const auto& at, const auto& stride, Index begin, Index n) {
          for (Index i = 0; i < n; ++i) {
            const Element yes = u[at[1] + i * stride[1]], no = v[at[2] + i * stride[2]];
            to[begin + i] = condition[at[0] + i * stride[0]] ? yes : no;
          }
        });
  };
  switch (bytes) {
    case 1: return run.template operator()<std::uint8_t>();
    case 2: return run.template operator()<std::uint16_t>();
    case 4: return run.template operator()<std::uint32_t>();
    default: return run.template operator()<std::uint64_t>();
  }
}

template <class X, class Y>
void cast(const X* x, Y* y, Index n) {
  parallel_for(n, elementwise_grain, [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      if constexpr (std::is_same_v<Y, bool>) {
        y[i] = x[i] != X{};
      } else {
        y[i] = static_cast<Y>(x[i]);
      }
    }
  });
}
template void cast(const float*, std::int64_t*, Index);
template void cast(const float*, bool*, Index);
template void cast(const std::int64_t*, float*, Index);
template void cast(const std::int64_t*, bool*, Index);
template void cast(const bool*, float*, Index);
template void cast(const bool*, std::int64_t*, Index);

void reduce_integers(Integer op, const std::int64_t* x, Index outer, Index n, Index inner, std::int64_t* y) {
  const Index work = n * inner;
  with_operation(op, [&](auto f) {
    parallel_for(outer, std::max<Index>(1, elementwise_grain / std::max<Index>(1, work)), [=](Index begin, Index end) {
      for (Index o = begin; o < end; ++o) {
        std::int64_t* const to = y + o * inner;
        const std::int64_t* const from = x + o * n * inner;
        for (Index i = 0; i < inner; ++i) to[i] = n > 0 ? from[i] : 0;
        for (Index k = 1; k < n; ++k) {
          for (Index i = 0; i < inner; ++i) to[i] = f(to[i], from[k * inner + i]);
        }
      }
    });
  });
}

}  // namespace temper::kernels
