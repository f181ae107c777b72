#include <temper/train/mup.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/nn/observer_internal.hpp"

namespace temper {

namespace {

double root_mean_square(const Tensor& x) {
  double sum = 0;
  for (const float value : x.values<float>()) sum += static_cast<double>(value) * static_cast<double>(value);
  return x.numel() > 0 ? std::sqrt(sum / static_cast<double>(x.numel())) : 0.0;
}

/// How many times wider a parameter's inputs and outputs are than the base's.
struct Widths {
  double in = 1, out = 1;
};

/// Throws: ValueError when the shapes differ in more than width.
Widths widths_of(const Parameter& parameter, const Parameter& base) {
  const Shape &shape = parameter.shape(), &narrow = base.shape();
  const auto times = [&](int axis) { return static_cast<double>(shape[axis]) / static_cast<double>(narrow[axis]); };
  bool good = shape.rank() == narrow.rank() && shape.rank() > 0 && narrow.numel() > 0 &&
              parameter.role() == base.role();
  for (int axis = 2; good && axis < shape.rank(); ++axis) good = shape[axis] == narrow[axis];  // of a kernel
  if (!good) {
    fail<ValueError>("{} {}, in the base {} {}", to_string(parameter.role()), shape, to_string(base.role()), narrow);
  }
  if (shape.rank() == 1) return {.in = 1, .out = times(0)};
  // A row of an embedding is chosen, not summed over.
  if (parameter.role() == Role::embedding) return {.in = times(0), .out = times(1)};
  return {.in = times(1), .out = times(0)};
}

/// Sums the squares of what each layer puts out.
class Sizes : public nn::LayerObserver {
 public:
  void observe(const nn::Layer& layer, const Tensor& output) override {
    if (output.dtype() != Dtype::f32 && output.dtype() != Dtype::bf16) return;
    const double size = root_mean_square(output.dtype() == Dtype::f32 ? output : to(output, Dtype::f32));
    auto& [sum, count] = sums_[&layer];
    sum += size * size;
    ++count;
  }
  std::optional<double> of(const nn::Module* layer) const {
    const auto found = sums_.find(layer);
    if (found == sums_.end()) return std::nullopt;
    return std::sqrt(found->second.first / static_cast<double>(found->second.second));
  }

 private:
  std::map<const nn::Module*, std::pair<double, std::int64_t>> sums_;
};

}  // namespace

optim::Groups mup(const nn::Module& model, const nn::Module& base, MupRule rule, const MupOptions& options) {
  std::map<std::string, Parameter> narrow;
  for (const Parameter& parameter : base.parameters()) narrow.emplace(parameter.name(), parameter);
  struct Scaled {
    Parameter parameter;
    double size, rate;
  };
  std::vector<Scaled> all;
  std::string problems;
  for (const Parameter& parameter : model.parameters()) {
    const auto found = narrow.find(parameter.name());
    try {
      if (found == narrow.end()) fail<ValueError>("the base has no such parameter");
      if (parameter.value().dtype() != Dtype::f32 || found->second.value().dtype() != Dtype::f32) {
        fail<ValueError>("expected f32; to_bf16 comes afterwards");
      }
      const Widths wide = widths_of(parameter, found->second);
      const double rate = rule == MupRule::adam ? 1 / wide.in : wide.out / wide.in;
      const double wanted = root_mean_square(found->second.value()) * std::min(1.0, std::sqrt(wide.out / wide.in)) /
                            std::sqrt(wide.in);
      const double is = root_mean_square(parameter.value());
      all.push_back({parameter, is > 0 ? wanted / is : 1.0, rate});
    } catch (const ValueError& error) {
      problems += fmt::format("\n  {}: {}", parameter.name(), error.what());
    }
  }
  if (!problems.empty()) fail<ValueError>("mup: the base is another network, nothing was changed:{}", problems);

  // Parameters with the same rate and decay make a group.
  std::map<std::pair<double, bool>, optim::Group> groups;
  for (auto& [parameter, size, rate] : all) {
    Tensor value = parameter.value();
    for (float& x : value.mutable_values<float>()) x = static_cast<float>(static_cast<double>(x) * size);
    const bool decays = parameter.role() == Role::weight || parameter.role() == Role::embedding;
    optim::Group& group = groups[{rate, decays}];
    group.parameters.push_back(parameter);
    group.name = fmt::format("{}, rate x {:.4g}", decays ? "weights" : "biases and gains", rate);
    group.lr_scale = rate;
    if (options.weight_decay) group.set = {{"weight_decay", decays ? *options.weight_decay / rate : 0.0}};
  }
  std::vector<optim::Group> list;
  for (auto& [key, group] : groups) list.push_back(std::move(group));
  return list;
}

void CoordinateCheck::add(std::int64_t width, const nn::Module& model, const std::function<void()>& forward) {
  Sizes sizes;
  {
    const NoTape unrecorded;
    const nn::ObserverScope scope(sizes);
    forward();
  }
  std::map<std::string, double>& step = sizes_[width].emplace_back();
  const auto note = [&](const std::string& name, const nn::Module& module) {
    const auto size = sizes.of(&module);
    if (!size) return;
    step[name] = *size;
    if (std::ranges::find(layers_, name) == layers_.end()) layers_.push_back(name);
  };
  for (const nn::Child& child : model.children()) note(child.name, *child.module);
  note("output", model);
}

std::vector<std::string> CoordinateCheck::layers() const { return layers_; }

double CoordinateCheck::size(const std::string& layer, std::int64_t width, std::size_t step) const {
  const auto found = sizes_.find(width);
  if (found != sizes_.end() && step < found->second.size()) {
    const auto size = found->second[step].find(layer);
    if (size != found->second[step].end()) return size->second;
  }
  fail<ValueError>("CoordinateCheck: there is no size of '{}' at width {}, step {}", layer, width, step);
}

std::size_t CoordinateCheck::last_step() const {
  if (sizes_.size() < 2) fail<ValueError>("CoordinateCheck: {} widths, expected at least 2", sizes_.size());
  std::size_t steps = sizes_.begin()->second.size();
  for (const auto& [width, all] : sizes_) steps = std::min(steps, all.size());
  return steps - 1;
}

double CoordinateCheck::growth(const std::string& layer) const {
  const std::size_t step = last_step();
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const auto& [width, all] : sizes_) {
    const double a = std::log(static_cast<double>(width)), b = std::log(std::max(size(layer, width, step), 1e-30));
    n += 1;
    x += a;
    y += b;
    xx += a * a;
    xy += a * b;
  }
  return (n * xy - x * y) / (n * xx - x * x);
}

double CoordinateCheck::growth() const {
  last_step();
  double largest = -std::numeric_limits<double>::infinity();
  for (const std::string& layer : layers_) largest = std::max(largest, growth(layer));
  return largest;
}

std::string CoordinateCheck::text() const {
  const std::size_t step = last_step();
  std::size_t wide = 5;
  for (const std::string& layer : layers_) wide = std::max(wide, layer.size());
  std::string text = fmt::format("{:<{}}", "layer", wide);
  for (const auto& [width, all] : sizes_) text += fmt::format("{:>11}", width);
  text += fmt::format("{:>11}\n", "growth");
  for (const std::string& layer : layers_) {
    text += fmt::format("{:<{}}", layer, wide);
    for (const auto& [width, all] : sizes_) text += fmt::format("{:>11.4g}", size(layer, width, step));
    text += fmt::format("{:>+11.2f}\n", growth(layer));
  }
  return text + fmt::format("root of the mean square of what a layer puts out, at width, after {} steps\n", step);
}

}  // namespace temper
