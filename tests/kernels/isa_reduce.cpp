#include <algorithm>
#include <array>

#include "tests/kernels/isa.hpp"

namespace temper::kernels::test {

TEST_CASE("sum, largest and smallest of a line") {
  on_each_isa([](const IsaTable& kernels) {
    for (Index n = 0; n <= longest + 3; ++n) {
      const Index size = n <= longest ? n : std::array<Index, 3>{1023, 1025, 40001}[static_cast<std::size_t>(n - 71)];
      CAPTURE(size);
      const std::vector<float> values = numbers(size, 1);
      const Floats x(values);
      double sum = 0.0, terms = 0.0;
      for (const float value : values) {
        sum += static_cast<double>(value);
        terms += std::abs(static_cast<double>(value));
      }
      CHECK(std::abs(kernels.sum(x.data(), size) - sum) <= 2e-7 * terms);
      if (size == 0) continue;
      CHECK(kernels.largest(x.data(), size) == *std::ranges::max_element(values));
      CHECK(kernels.smallest(x.data(), size) == *std::ranges::min_element(values));
    }
  });
}

TEST_CASE("maxima and minima are NaN if any element is") {
  on_each_isa([](const IsaTable& kernels) {
    for (Index n = 1; n <= longest; ++n) {
      for (Index at = 0; at < n; ++at) {
        std::vector<float> values = numbers(n, 2);
        values[static_cast<std::size_t>(at)] = nan;
        const Floats x(values);
        CHECK(std::isnan(kernels.largest(x.data(), n)));
        CHECK(std::isnan(kernels.smallest(x.data(), n)));
      }
    }
  });
}

TEST_CASE("rows are reduced column by column") {
  on_each_isa([](const IsaTable& kernels) {
    for (const Index rows : {1, 2, 3, 4, 5, 7, 8, 9, 127, 128}) {
      for (Index cols = 0; cols <= longest; ++cols) {
        CAPTURE(rows);
        CAPTURE(cols);
        const Index stride = cols + 3;
        std::vector<float> values = numbers(rows * stride, 3);
        if (cols > 9) values[static_cast<std::size_t>((rows - 1) * stride + 9)] = nan;
        const Floats x(values);
        Floats sum(cols), top(cols), bottom(cols);
        kernels.sum_rows(x.data(), rows, cols, stride, sum.data());
        kernels.largest_rows(x.data(), rows, cols, stride, top.data());
        kernels.smallest_rows(x.data(), rows, cols, stride, bottom.data());
        bool right = sum.intact() && top.intact() && bottom.intact();
        for (Index col = 0; col < cols; ++col) {
          double total = 0.0, terms = 0.0;
          float high = x[col], low = x[col];
          for (Index row = 0; row < rows; ++row) {
            const float value = x[row * stride + col];
            total += static_cast<double>(value);
            terms += std::abs(static_cast<double>(value));
            high = std::isnan(value) || value > high ? value : high;
            low = std::isnan(value) || value < low ? value : low;
          }
          right = right && same_bits(top[col], high) && same_bits(bottom[col], low) &&
                  (std::isnan(total) ? std::isnan(sum[col])
                                     : std::abs(static_cast<double>(sum[col]) - total) <= 1e-6 * terms);
        }
        CHECK(right);
      }
    }
  });
}

TEST_CASE("transposition") {
  on_each_isa([](const IsaTable& kernels) {
    for (const Index rows : {0, 1, 3, 4, 5, 31, 32, 33, 67}) {
      for (const Index cols : {0, 1, 2, 4, 7, 8, 31, 33, 70}) {
        CAPTURE(rows);
        CAPTURE(cols);
        const Index stride_x = cols + 1, stride_y = rows + 2;
        const Floats x(numbers(rows * stride_x, 4));
        Floats y(cols * stride_y, -1.0f);
        kernels.transpose(x.data(), rows, cols, stride_x, y.data(), stride_y);
        bool right = y.intact();
        for (Index col = 0; col < cols; ++col) {
          for (Index row = 0; row < stride_y; ++row) {
            right = right && y[col * stride_y + row] == (row < rows ? x[row * stride_x + col] : -1.0f);
          }
        }
        CHECK(right);
      }
    }
  });
}

}  // namespace temper::kernels::test
