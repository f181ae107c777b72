#pragma once

// oneDNN is checked, not believed: its versions differ, and some compute wrongly or write where they must not, for some
// shapes and instruction sets. Before one of its implementations is used, a small problem of the same class is solved
// with it, between fences, and held against the right answer. The first implementation that passes is taken; where none
// does, the caller has a way of its own.
//
// All inputs are small whole numbers, so that every sum is exact in whatever order it is taken, and the comparison is
// one of equality. A whole result is compared through its products with one random vector, which costs a fraction of
// computing it. Source: Freivalds, "Probabilistic machines can use less running time" (1977).
//
// The verdict depends on the library, the instruction set, the number of threads and the class of shapes alone, never
// on the data: a run repeats itself.

#include <vector>

#include "framework/kernels/onednn.hpp"

namespace temper::kernels::onednn {

/// Whole numbers for factors and results such that a sum of `terms` products is exact, and fits a result of type `to`.
class WholeNumbers {
 public:
  WholeNumbers(Index terms, Type from, Type to);
  /// The two factors of each product.
  std::vector<float> first(Index count) { return draw(count, first_limit_); }
  std::vector<float> second(Index count) { return draw(count, second_limit_); }
  /// What is added to the sums: a bias, or what a result holds before.
  std::vector<float> added(Index count);
  /// What results are multiplied with to compare them: none is zero.
  std::vector<float> weights(Index count);

 private:
  std::vector<float> draw(Index count, double limit);
  std::uint32_t next();

  double first_limit_ = 1, second_limit_ = 1, share_ = 1;
  std::uint32_t state_ = 1;
};

/// An operand of a trial, with fences before and behind.
class TrialArray {
 public:
  /// Something to read, or to add to.
  TrialArray(Type type, const std::vector<float>& values);
  /// Something to write: holds NaN until then.
  TrialArray(Type type, Index count);
  TrialArray(TrialArray&&) = default;

  const void* data() const { return start(); }
  std::vector<float> values() const;
  /// From now on it is written to, and has fences of its own.
  void becomes_result();
  bool fences_hold() const;
  /// Whether not a bit of it has changed.
  bool unchanged() const;

 private:
  std::byte* start() const;
  std::byte* end() const;

  Type type_;
  Index count_;
  std::vector<std::byte> bytes_, before_;
};

// Sums of whole numbers that double holds exactly are the same in any order: these are taken in the fastest.

/// The sum of a[i] * b[i].
template <class A, class B>
double dot(const A* a, const B* b, Index n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}
/// sums[i] += a[i] * b[i].
inline void add_products(const float* a, const double* b, Index n, double* sums) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) sums[i] += static_cast<double>(a[i]) * b[i];
}
/// sums[i] += factor * x[i].
inline void add_scaled(double factor, const float* x, Index n, double* sums) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) sums[i] += factor * static_cast<double>(x[i]);
}

/// Runs the program on the arrays, of which the last is its result. Whether it wrote that alone.
bool behaves(Program& program, std::vector<TrialArray>& arrays);

/// Something that oneDNN can do in several ways.
class Task {
 public:
  virtual ~Task() = default;
  virtual Key key() const = 0;
  /// Compiles the number-th way, the best first. False when there are not so many.
  virtual bool compile(Program& program, int number) const = 0;
  /// Whether a program that compile() made gives the right result and leaves all else alone.
  virtual bool right(Program& program) const = 0;

 protected:
  Task() = default;
  Task(const Task&) = default;
  Task& operator=(const Task&) = default;
};

/// The first way to do `task` that passes its trial on `small`, a task of the same class. Empty when none does.
Program choose(const Task& task, const Task& small);

/// `size`, or a smaller one that leaves the same remainder by `block`: below 2 * block where it was above `limit`.
constexpr Index shrunk(Index size, Index limit, Index block) { return size <= limit ? size : block + size % block; }

/// What the trials of this process found.
struct Trial {
  std::string implementation;
  bool right;
  double milliseconds;
};
std::vector<Trial> trials();

}  // namespace temper::kernels::onednn
