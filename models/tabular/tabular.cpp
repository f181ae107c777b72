#include <temper/models/tabular/tabular.hpp>

#include <algorithm>
#include <numeric>
#include <string>

#include <temper/models/tabular/numeric_embedding.hpp>
#include <temper/temper.hpp>

namespace temper::models {

namespace {

void check_size(const char* what, std::int64_t size, std::int64_t least = 1) {
  if (size < least) {
    throw ValueError("Tabular: " + std::string(what) + " is " + std::to_string(size) + ", expected at least " +
                     std::to_string(least));
  }
}

/// The same row for each of the members.
Tensor repeated(const Tensor& row, std::int64_t members) { return tile(reshape(row, {1, -1}), {members, 1}); }

}  // namespace

EnsembleLinear::EnsembleLinear(std::int64_t in, std::int64_t out, std::int64_t members) {
  check_size("in", in);
  check_size("out", out);
  check_size("members", members);
  weight = Parameter(nn::fan_in_uniform({out, in}, in), Role::weight);
  bias = Parameter(repeated(nn::fan_in_uniform({out}, in), members), Role::bias);
  if (members == 1) return;
  r = Parameter(ones({members, in}), Role::norm_gain);
  s = Parameter(ones({members, out}), Role::norm_gain);
}

Tensor EnsembleLinear::forward(const Tensor& x) const {
  if (!r.defined()) return linear(x, weight) + bias;
  return linear(x * r, weight) * s + bias;
}

void EnsembleLinear::members(nn::Members& m) const {
  m("weight", weight);
  if (r.defined()) {
    m("r", r);
    m("s", s);
  }
  m("bias", bias);
}

std::string EnsembleLinear::description() const {
  return "EnsembleLinear(" + std::to_string(weight.shape()[1]) + ", " + std::to_string(weight.shape()[0]) + ", " +
         std::to_string(bias.shape()[0]) + " members)";
}

Tabular::Tabular(const TabularConfig& config) : config_(config), dropout_(config.dropout) {
  check_size("numbers", config.numbers, 0);
  check_size("outputs", config.outputs);
  check_size("embedding_width", config.embedding_width);
  check_size("bins", config.bins);
  check_size("frequencies", config.frequencies);
  check_size("members", config.members);
  check_size("blocks", config.blocks);
  check_size("width", config.width);
  for (const std::int64_t size : config.categories) check_size("a column's number of categories", size);
  const std::int64_t columns = std::ssize(config.categories);
  if (config.numbers + columns == 0) throw ValueError("Tabular: no columns of numbers or categories, expected some");

  const std::int64_t width = config.embedding_width, k = config.members;
  // Features that come from one number stay together: see below.
  std::int64_t together = 1;
  if (config.numbers > 0 && config.embedding == NumericEmbedding::piecewise) {
    numeric_ = std::make_unique<PiecewiseLinearEmbedding>(config.numbers, config.bins, width);
  } else if (config.numbers > 0 && config.embedding == NumericEmbedding::periodic) {
    numeric_ =
        std::make_unique<PeriodicEmbedding>(config.numbers, config.frequencies, width, config.frequency_deviation);
  }
  if (numeric_) together = width;
  if (columns > 0) {
    const std::int64_t all = std::accumulate(config.categories.begin(), config.categories.end(), std::int64_t{0});
    categorical_ = std::make_unique<nn::Embedding>(all, width);
    categorical_->weight.set_value(nn::fan_in_uniform({all, width}, width));
    std::vector<std::int64_t> first(config.categories.size());
    std::exclusive_scan(config.categories.begin(), config.categories.end(), first.begin(), std::int64_t{0});
    first_ = from(std::span<const std::int64_t>(first), {columns});
  }

  const std::int64_t of_numbers = config.numbers * together, in = of_numbers + columns * width;
  for (std::int64_t i = 0; i < config.blocks; ++i) blocks_.emplace_back(i == 0 ? in : config.width, config.width, k);
  if (k > 1) {
    // What makes the members differ: random signs, or normal numbers where numbers are embedded, and then the same one
    // for all of an embedding.
    const auto factors = [&](std::int64_t count) {
      return numeric_ ? normal({k, count}) : 2.0f * floor(uniform({k, count}, 0.0f, 2.0f)) - 1.0f;
    };
    Tensor r = repeat_interleave(factors(config.numbers), together, 1);
    if (columns > 0) r = concat({r, repeat_interleave(factors(columns), width, 1)}, 1);
    blocks_.front().r.set_value(r);
  }
  head_weight_ = Parameter(nn::fan_in_uniform({k, config.width, config.outputs}, config.width), Role::weight);
  head_bias_ = Parameter(nn::fan_in_uniform({k, config.outputs}, config.width), Role::bias);
}

void Tabular::fit(const Tensor& numbers) {
  if (auto* bins = dynamic_cast<PiecewiseLinearEmbedding*>(numeric_.get())) bins->fit(numbers);
}

Tensor Tabular::features(const Tensor& numbers, const Tensor& categories) const {
  const std::int64_t columns = std::ssize(config_.categories);
  if (numbers.rank() != 2 || numbers.size(1) != config_.numbers || categories.rank() != 2 ||
      categories.size(1) != columns || numbers.size(0) != categories.size(0)) {
    throw ShapeError("Tabular: numbers " + to_string(numbers.shape()) + " and categories " +
                     to_string(categories.shape()) + ", expected [N, " + std::to_string(config_.numbers) +
                     "] and [N, " + std::to_string(columns) + "]");
  }
  Tensor all;
  if (config_.numbers > 0) all = numeric_ ? flatten((*numeric_)(numbers)) : numbers;
  if (columns > 0) {
    for (std::int64_t i = 0; i < categories.numel(); ++i) {
      const std::int64_t category = categories.data<std::int64_t>()[i];
      const std::int64_t count = config_.categories[static_cast<std::size_t>(i % columns)];
      if (category < 0 || category >= count) {
        throw ValueError("Tabular: category " + std::to_string(category) + " in column " + std::to_string(i % columns) +
                         ", expected 0 to " + std::to_string(count - 1));
      }
    }
    const Tensor embedded = flatten((*categorical_)(categories + first_));
    all = all.defined() ? concat({all, embedded}, 1) : embedded;
  }
  return all;
}

Tensor Tabular::operator()(const Tensor& numbers, const Tensor& categories) const {
  Tensor x = unsqueeze(features(numbers, categories), 1);  // [N, 1, features], then [N, members, width]
  for (const EnsembleLinear& block : blocks_) x = dropout_(relu(block(x)));
  const Tensor outputs = matmul(transpose(x, 0, 1), head_weight_);  // [members, N, outputs]
  return transpose(outputs, 0, 1) + head_bias_;
}

Tensor Tabular::loss(const Tensor& outputs, const Tensor& target) const {
  const Tensor each = repeat_interleave(target, config_.members, 0);
  if (config_.outputs == 1) return mse_loss(reshape(outputs, {-1}), each);
  return cross_entropy(reshape(outputs, {-1, config_.outputs}), each);
}

Tensor Tabular::predict(const Tensor& numbers, const Tensor& categories) const {
  const NoTape unrecorded;
  const Tensor outputs = (*this)(numbers, categories);
  if (config_.outputs == 1) return mean(outputs, {1, 2});
  return mean(softmax(outputs), 1);
}

void Tabular::members(nn::Members& m) const {
  m("numeric", numeric_);
  m("categorical", categorical_);
  m("blocks", blocks_);
  m("head_weight", head_weight_);
  m("head_bias", head_bias_);
}

std::string Tabular::description() const {
  return "Tabular(" + std::to_string(config_.numbers) + " numbers, " + std::to_string(config_.categories.size()) +
         " categories, " + std::to_string(config_.members) + " members)";
}

}  // namespace temper::models
