#include <algorithm>

#include "framework/kernels/matmul_internal.hpp"

namespace temper::kernels {

namespace {

using dnnl::memory;
using onednn::TrialArray;

/// A stack of [rows, columns] matrices, dense, each stored by columns when `transposed`.
memory::desc matrices(Index batch, Index rows, Index columns, bool transposed, onednn::Type type) {
  return {{batch, rows, columns}, type, memory::dims{rows * columns, transposed ? 1 : columns, transposed ? rows : 1}};
}

memory::desc matrix(Index rows, Index columns, bool transposed, onednn::Type type) {
  return {{rows, columns}, type, memory::dims{transposed ? 1 : columns, transposed ? rows : 1}};
}

/// Appends the product of a [rows, columns] matrix, stored by columns when `transposed`, and v [columns] to `result`.
template <class T>
void append_product(const float* matrix, Index rows, Index columns, bool transposed, const T* v,
                    std::vector<double>& result) {
  const std::size_t before = result.size();
  result.resize(before + static_cast<std::size_t>(rows));
  double* const sums = result.data() + before;
  if (transposed) {
    for (Index i = 0; i < columns; ++i) onednn::add_scaled(static_cast<double>(v[i]), matrix + i * rows, rows, sums);
  } else {
    for (Index i = 0; i < rows; ++i) sums[i] = onednn::dot(matrix + i * columns, v, columns);
  }
}

/// Whether oneDNN's gemm is faster here than its matmul: as a rule where a is transposed (5 to 20 %), and for tall
/// products. The shape alone decides, so that runs are reproducible. On other processors than x86-64 its gemm is a
/// plain loop.
bool suits_gemm(const Matmul& shape) {
#if !defined(__x86_64__)
  return false;
#endif
  const auto& [m, n, k, batch, transpose_a, transpose_b, accumulate, share_b] = shape;
  if (batch != 1 || std::min({m, n, k}) < 64 || m * n * k < (Index{1} << 22)) return false;
  if (transpose_a) return !transpose_b;
  return transpose_b ? m >= 1024 && n >= 4 * k : m >= 1024 || k >= 2 * n;
}

}  // namespace

ProductTask::ProductTask(const Matmul& shape, bool has_bias, onednn::Type from, onednn::Type to)
    : shape_(shape),
      has_bias_(has_bias),
      from_(from),
      to_(to),
      gemm_first_(from == onednn::Type::f32 && !has_bias && suits_gemm(shape)) {}

onednn::Key ProductTask::key() const {
  return onednn::Key(onednn::Op::matmul, {shape_.m, shape_.n, shape_.k, shape_.batch, shape_.transpose_a,
                                          shape_.transpose_b, shape_.accumulate, shape_.share_b, has_bias_,
                                          static_cast<Index>(from_), static_cast<Index>(to_)});
}

ProductTask ProductTask::small() const {
  ProductTask result = *this;
  Matmul& s = result.shape_;
  s.m = onednn::shrunk(s.m, 128, 64);
  s.n = onednn::shrunk(s.n, 128, 64);
  s.k = onednn::shrunk(s.k, 512, 256);
  s.batch = std::min<Index>(s.batch, 3);
  return result;
}

bool ProductTask::compile(onednn::Program& program, int number) const {
  const auto& [m, n, k, batch, transpose_a, transpose_b, accumulate, share_b] = shape_;
  const bool plain = batch == 1;
  const memory::desc a = plain ? matrix(m, k, transpose_a, from_) : matrices(batch, m, k, transpose_a, from_);
  const memory::desc b =
      plain ? matrix(k, n, transpose_b, from_) : matrices(share_b ? 1 : batch, k, n, transpose_b, from_);
  const memory::desc y = plain ? matrix(m, n, false, to_) : matrices(batch, m, n, false, to_);
  const int source = program.operand(a), weights = program.operand(b), bias = program.operand(onednn::dense({n}));
  const int result = program.operand(y);
  if (gemm_first_ && number-- == 0) {
    program.add_gemm({m, n, k, source, weights, result, transpose_a, transpose_b, accumulate});
    return true;
  }
  const dnnl::primitive_attr attributes = accumulate ? onednn::accumulating() : onednn::attributes();
  const memory::desc row = onednn::dense(plain ? memory::dims{1, n} : memory::dims{1, 1, n});
  const auto description = has_bias_ ? onednn::describe_one<dnnl::matmul>(number, attributes, a, b, row, y)
                                     : onednn::describe_one<dnnl::matmul>(number, attributes, a, b, y);
  if (!description) return false;
  if (has_bias_) {
    program.add("matmul", *description,
                {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, result}});
  } else {
    program.add("matmul", *description, {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, result}});
  }
  return true;
}

bool ProductTask::right(onednn::Program& program) const {
  const auto& [m, n, k, batch, transpose_a, transpose_b, accumulate, share_b] = shape_;
  const Index batches_b = share_b ? 1 : batch;
  onednn::WholeNumbers numbers(k, from_, to_);
  const std::vector<float> a = numbers.first(batch * m * k), b = numbers.second(batches_b * k * n);
  const std::vector<float> bias = numbers.added(n), before = numbers.added(accumulate ? batch * m * n : 0);
  const std::vector<float> r = numbers.weights(n);

  std::vector<TrialArray> arrays;
  arrays.emplace_back(from_, a);
  arrays.emplace_back(from_, b);
  arrays.emplace_back(onednn::Type::f32, bias);
  if (accumulate) {
    arrays.emplace_back(to_, before);
  } else {
    arrays.emplace_back(to_, batch * m * n);
  }
  if (!onednn::behaves(program, arrays)) return false;

  // y r = a (b r) + what is added
  std::vector<double> br, expected;
  for (Index i = 0; i < batches_b; ++i) append_product(b.data() + i * k * n, k, n, transpose_b, r.data(), br);
  for (Index i = 0; i < batch; ++i) {
    append_product(a.data() + i * m * k, m, k, transpose_a, br.data() + (share_b ? 0 : i * k), expected);
  }
  const double bias_r = has_bias_ ? onednn::dot(bias.data(), r.data(), n) : 0;
  const std::vector<float> y = arrays.back().values();
  for (Index row = 0; row < batch * m; ++row) {
    const double added = accumulate ? onednn::dot(before.data() + row * n, r.data(), n) : 0;
    const double got = onednn::dot(y.data() + row * n, r.data(), n);
    if (!(got == expected[static_cast<std::size_t>(row)] + bias_r + added)) return false;
  }
  return true;
}

}  // namespace temper::kernels
