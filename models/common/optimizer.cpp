#include "models/common/optimizer.hpp"

#include "framework/core/format_internal.hpp"

namespace temper::models {

namespace {

using Make = std::unique_ptr<optim::Optimizer> (*)(const optim::Groups&, const TrainOptions&, const optim::Schedule&);

struct Entry {
  const char* name;
  const char* decay;  // what weight decay is called in its options
  Make make;
};

template <class Options>
Options with_common(const TrainOptions& options, const optim::Schedule& lr) {
  Options result{.lr = lr};
  if (options.clip_norm > 0) result.clip_norm = options.clip_norm;
  if constexpr (requires { result.weight_decay; }) result.weight_decay = options.weight_decay;
  if constexpr (requires { result.l2; }) result.l2 = options.l2;
  if constexpr (requires { result.momentum; }) result.momentum = options.momentum;
  if constexpr (requires { result.beta2; }) {
    if (options.beta2 > 0) result.beta2 = options.beta2;
  }
  return result;
}

template <class Optimizer, class Options>
std::unique_ptr<optim::Optimizer> make(const optim::Groups& groups, const TrainOptions& options,
                                       const optim::Schedule& lr) {
  return std::make_unique<Optimizer>(groups, with_common<Options>(options, lr));
}

constexpr Entry entries[] = {
    {"adamw", "weight_decay", make<optim::AdamW, optim::AdamWOptions>},
    {"sgd", "l2", make<optim::SGD, optim::SGDOptions>},
    {"sgdw", "weight_decay", make<optim::SGDW, optim::SGDWOptions>},
    {"adam", "l2", make<optim::Adam, optim::AdamOptions>},
    {"lion", "weight_decay", make<optim::Lion, optim::LionOptions>},
    {"lamb", "weight_decay", make<optim::LAMB, optim::LAMBOptions>},
    {"nadam", "l2", make<optim::NAdam, optim::NAdamOptions>},
    {"radam", "l2", make<optim::RAdam, optim::RAdamOptions>},
    {"adamax", "l2", make<optim::Adamax, optim::AdamaxOptions>},
    {"rmsprop", "l2", make<optim::RMSprop, optim::RMSpropOptions>},
    {"adagrad", "l2", make<optim::Adagrad, optim::AdagradOptions>},
};

const Entry& find(const std::string& name) {
  std::string names;
  for (const Entry& entry : entries) {
    if (name == entry.name) return entry;
    names += names.empty() ? entry.name : std::string(", ") + entry.name;
  }
  fail<ValueError>("--optimizer: there is no '{}'; there are: {}", name, names);
}

}  // namespace

const std::vector<std::string>& optimizer_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Entry& entry : entries) all.emplace_back(entry.name);
    return all;
  }();
  return names;
}

bool decays_decoupled(const std::string& name) { return std::string_view(find(name).decay) == "weight_decay"; }

std::unique_ptr<optim::Optimizer> make_optimizer(const std::vector<Parameter>& parameters, const TrainOptions& options,
                                                 const optim::Schedule& lr) {
  const Entry& entry = find(options.optimizer);
  return entry.make(optim::decay_weights(parameters, entry.decay), options, lr);
}

}  // namespace temper::models
