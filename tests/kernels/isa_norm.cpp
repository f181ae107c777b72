#include <temper/core/random.hpp>

#include "tests/kernels/isa.hpp"

namespace temper::kernels::test {

TEST_CASE("layer norm and RMS norm with their gradients") {
  constexpr Index rows = 3;
  constexpr float eps = 1e-5f;
  on_each_isa([](const IsaTable& kernels) {
    for (const bool centered : {true, false}) {
      for (Index cols = 1; cols <= longest; ++cols) {
        CAPTURE(centered);
        CAPTURE(cols);
        std::vector<float> values = numbers(rows * cols, 1);
        for (Index i = 0; i < cols; ++i) values[static_cast<std::size_t>(i)] *= 1e-3f;  // a row where eps matters
        const Floats x(values), w(numbers(cols, 2)), b(numbers(cols, 3)), dy(numbers(rows * cols, 4));
        Floats y(rows * cols), mean(rows), inverse(rows), dx(rows * cols), dw(cols), db(cols);
        float* means = centered ? mean.data() : nullptr;
        kernels.norm(x.data(), rows, cols, w.data(), b.data(), eps, y.data(), means, inverse.data());
        kernels.norm_backward(x.data(), dy.data(), rows, cols, w.data(), means, inverse.data(), dx.data(), false,
                              dw.data(), db.data());
        bool right = y.intact() && mean.intact() && inverse.intact() && dx.intact() && dw.intact() && db.intact();
        std::vector<double> weight_sum(static_cast<std::size_t>(cols)), bias_sum(static_cast<std::size_t>(cols));
        const double n = static_cast<double>(cols);
        for (Index row = 0; row < rows; ++row) {
          const auto at = [&](const Floats& v, Index i) { return static_cast<double>(v[row * cols + i]); };
          double center = 0.0, square = 0.0, along = 0.0, level = 0.0, size = 0.0;
          for (Index i = 0; i < cols && centered; ++i) center += at(x, i) / n;
          for (Index i = 0; i < cols; ++i) square += (at(x, i) - center) * (at(x, i) - center) / n;
          const double scale = 1 / std::sqrt(square + static_cast<double>(eps));
          const auto normalized = [&](Index i) { return (at(x, i) - center) * scale; };
          for (Index i = 0; i < cols; ++i) {
            const double g = at(dy, i) * static_cast<double>(w[i]);
            along += g * normalized(i) / n;
            level += centered ? g / n : 0.0;
            size += std::abs(g);
          }
          for (Index i = 0; i < cols; ++i) {
            const double g = at(dy, i) * static_cast<double>(w[i]);
            // If all numbers are nearly equal, x - mean cancels, and 1 / sqrt(eps) amplifies the rounding error.
            const double slack = 3e-7 * scale * (std::abs(center) + std::abs(at(x, i)));
            const double expected = normalized(i) * static_cast<double>(w[i]) + static_cast<double>(b[i]);
            right = right && std::abs(at(y, i) - expected) <= 2e-6 + slack * std::abs(static_cast<double>(w[i]));
            const double slope = scale * (g - level - normalized(i) * along);
            right = right && std::abs(at(dx, i) - slope) <= 3e-6 * scale * (1 + size) * (1 + slack);
            weight_sum[static_cast<std::size_t>(i)] += at(dy, i) * normalized(i);
            bias_sum[static_cast<std::size_t>(i)] += at(dy, i);
          }
        }
        for (Index i = 0; i < cols; ++i) {
          right = right && close(dw[i], weight_sum[static_cast<std::size_t>(i)], 2e-5) &&
                  close(db[i], bias_sum[static_cast<std::size_t>(i)], 1e-6);
        }
        CHECK(right);

        // Accumulated; without weight and bias; with some of the gradients only.
        Floats plain(rows * cols), alone(cols);
        kernels.norm(x.data(), rows, cols, nullptr, nullptr, eps, plain.data(), means, inverse.data());
        CHECK(close(y[0], static_cast<double>(plain[0] * w[0] + b[0]), 1e-6));
        kernels.norm_backward(x.data(), dy.data(), rows, cols, w.data(), means, inverse.data(), nullptr, false, nullptr,
                              alone.data());
        CHECK(alone.intact());
        CHECK(close(alone[cols - 1], bias_sum.back(), 2e-6));
        Floats added(std::vector<float>(static_cast<std::size_t>(rows * cols), 1.0f));
        kernels.norm_backward(x.data(), dy.data(), rows, cols, w.data(), means, inverse.data(), added.data(), true,
                              nullptr, nullptr);
        CHECK(added.intact());
        for (Index i = 0; i < rows * cols; ++i) REQUIRE(close(added[i], 1.0 + static_cast<double>(dx[i]), 1e-6));
      }
    }
  });
}

TEST_CASE("the Philox kernel gives the numbers of RandomStream") {
  const detail::RandomStream stream(12345, detail::RandomUse::dropout, 6, 7);
  on_each_isa([&](const IsaTable& kernels) {
    for (const std::uint64_t block : {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << 28) - 1,
                                      std::uint64_t{1} << 28, (std::uint64_t{1} << 59) + 12345}) {
      CAPTURE(block);
      Guarded<std::uint32_t> words(64);
      kernels.philox_block(stream.key().data(), stream.nonce().data(), block, words.data());
      bool right = words.intact();
      for (Index i = 0; i < 64; ++i) {
        right = right &&
                words[i] == stream(16 * block + static_cast<std::uint64_t>(i % 16))[static_cast<std::size_t>(i / 16)];
      }
      CHECK(right);
    }
  });
}

TEST_CASE("whether dropout keeps an element depends on the element's random number only") {
  const detail::RandomStream stream(1, detail::RandomUse::dropout, 2, 3);
  const auto key = stream.key(), nonce = stream.nonce();
  constexpr float threshold = 0.3f * 0x1p24f;
  constexpr Index size = 200, first_block = 3;
  std::vector<float> values = numbers(size, 5);
  values[10] = nan;
  values[11] = infinity;
  const Floats x(values);
  on_each_isa([&](const IsaTable& kernels) {
    for (Index n = 0; n <= size; ++n) {
      Floats y(n);
      kernels.dropout(key.data(), nonce.data(), first_block, threshold, 1.25f, x.data(), y.data(), n);
      bool right = y.intact();
      for (Index i = 0; i < n; ++i) {
        const Index element = 64 * first_block + i;
        const auto counter = static_cast<std::uint64_t>(16 * (element / 64) + element % 16);
        const std::uint32_t word = stream(counter)[static_cast<std::size_t>(element / 16 % 4)];
        const bool kept = static_cast<float>(word >> 8) >= threshold;
        right = right && same_bits(y[i], kept ? x[i] * 1.25f : 0.0f);
      }
      CHECK(right);
    }
  });
}

}  // namespace temper::kernels::test
