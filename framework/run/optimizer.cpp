#include <temper/run/optimizer.hpp>

#include <algorithm>

#include "framework/core/format_internal.hpp"

namespace temper {

namespace {

using Make = std::unique_ptr<optim::Optimizer> (*)(const optim::Groups&, const TrainOptions&, const optim::Schedule&);

struct Entry {
  const char* name;
  const char* lr;  // customary
  double customary_momentum;
  const char* decay;  // the name of weight decay in its options
  bool momentum, beta2;
  Make make;
};

template <class Options>
Options with_common(const TrainOptions& options, const optim::Schedule& lr) {
  Options result{.lr = lr};
  if (options.clip_norm > 0) result.clip_norm = options.clip_norm;
  if constexpr (requires { result.weight_decay; }) result.weight_decay = options.weight_decay;
  if constexpr (requires { result.l2; }) result.l2 = options.l2;
  if constexpr (requires { result.relative_step; }) {  // Adafactor would ignore --lr, or scale it
    result.relative_step = result.scale_parameter = false;
  }
  if constexpr (requires { result.momentum; }) {
    result.momentum = options.momentum.value_or(customary_momentum(options.optimizer));
  }
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

std::unique_ptr<optim::Optimizer> make_nadamw(const optim::Groups& groups, const TrainOptions& options,
                                              const optim::Schedule& lr) {
  auto own = with_common<optim::AdamWOptions>(options, lr);
  own.nesterov = true;
  return std::make_unique<optim::AdamW>(groups, own);
}

template <class Optimizer, class Options>
std::unique_ptr<optim::Optimizer> make_cautious(const optim::Groups& groups, const TrainOptions& options,
                                                const optim::Schedule& lr) {
  auto own = with_common<Options>(options, lr);
  own.cautious = true;
  return std::make_unique<Optimizer>(groups, own);
}

/// Warms up alpha and beta3 over the whole run, if the schedule has an end.
std::unique_ptr<optim::Optimizer> make_ademamix(const optim::Groups& groups, const TrainOptions& options,
                                                const optim::Schedule& lr) {
  auto own = with_common<optim::AdEMAMixOptions>(options, lr);
  if (const Step n = lr.length(); n != optim::endless) {
    own.alpha = own.alpha * optim::warmup(n);
    own.beta3 = optim::beta3_warmup(0.9, 0.9999, n);
  }
  return std::make_unique<optim::AdEMAMix>(groups, own);
}

std::unique_ptr<optim::Optimizer> make_schedule_free(const optim::Groups& groups, const TrainOptions& options,
                                                     const optim::Schedule& lr) {
  const Step end = lr.length() == optim::endless ? 0 : lr.length();
  if (lr(end) < lr(std::max<Step>(0, end / 2)) * 0.99) {
    fail<ValueError>("--optimizer schedule_free averages instead of letting the rate decay: --decay constant");
  }
  return std::make_unique<optim::ScheduleFree>(groups, with_common<optim::ScheduleFreeOptions>(options, lr));
}

template <class Optimizer, class Options>
constexpr Entry entry(const char* name, const char* lr, double customary_momentum = 0) {
  constexpr bool decoupled = requires(Options options) { options.weight_decay; };
  constexpr bool momentum = requires(Options options) { options.momentum; };
  constexpr bool beta2 = requires(Options options) { options.beta2; };
  return {name, lr, customary_momentum, decoupled ? "weight_decay" : "l2", momentum, beta2, make<Optimizer, Options>};
}

constexpr Entry entries[] = {
    entry<optim::AdamW, optim::AdamWOptions>("adamw", "1e-3"),
    entry<optim::SGD, optim::SGDOptions>("sgd", "0.05", 0.9),
    entry<optim::SGDW, optim::SGDWOptions>("sgdw", "0.05", 0.9),
    entry<optim::Adam, optim::AdamOptions>("adam", "1e-3"),
    entry<optim::Lion, optim::LionOptions>("lion", "1e-4"),
    entry<optim::LAMB, optim::LAMBOptions>("lamb", "1e-3"),
    entry<optim::NAdam, optim::NAdamOptions>("nadam", "2e-3"),
    entry<optim::RAdam, optim::RAdamOptions>("radam", "1e-3"),
    entry<optim::Adamax, optim::AdamaxOptions>("adamax", "2e-3"),
    entry<optim::RMSprop, optim::RMSpropOptions>("rmsprop", "1e-3"),
    entry<optim::Adagrad, optim::AdagradOptions>("adagrad", "1e-2"),
    entry<optim::Muon, optim::MuonOptions>("muon", "1e-3", 0.95),
    entry<optim::NorMuon, optim::NorMuonOptions>("normuon", "1e-3", 0.95),
    {"nadamw", "1e-3", 0, "weight_decay", false, true, make_nadamw},
    {"cautious_adamw", "1e-3", 0, "weight_decay", false, true, make_cautious<optim::AdamW, optim::AdamWOptions>},
    {"cautious_lion", "1e-4", 0, "weight_decay", false, true, make_cautious<optim::Lion, optim::LionOptions>},
    {"ademamix", "1e-3", 0, "weight_decay", false, true, make_ademamix},
    {"schedule_free", "2.5e-3", 0, "weight_decay", false, true, make_schedule_free},
    entry<optim::SOAP, optim::SOAPOptions>("soap", "3e-3"),
    entry<optim::ADOPT, optim::ADOPTOptions>("adopt", "1e-3"),
    entry<optim::Prodigy, optim::ProdigyOptions>("prodigy", "1"),
    entry<optim::LARS, optim::LARSOptions>("lars", "2", 0.9),
    entry<optim::Adadelta, optim::AdadeltaOptions>("adadelta", "1"),
    entry<optim::Adafactor, optim::AdafactorOptions>("adafactor", "1e-3"),
};

const Entry& find(const std::string& name) {
  std::string names;
  for (const Entry& each : entries) {
    if (name == each.name) return each;
    names += names.empty() ? each.name : std::string(", ") + each.name;
  }
  fail<ValueError>("--optimizer: there is no '{}'; there are: {}", name, names);
}

}  // namespace

const std::vector<std::string>& optimizer_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Entry& each : entries) all.emplace_back(each.name);
    return all;
  }();
  return names;
}

bool decays_decoupled(const std::string& name) { return std::string_view(find(name).decay) == "weight_decay"; }

std::string customary_lr(const std::string& name) { return find(name).lr; }
double customary_momentum(const std::string& name) { return find(name).customary_momentum; }

bool has_momentum(const std::string& name) { return find(name).momentum; }
bool has_beta2(const std::string& name) { return find(name).beta2; }

std::unique_ptr<optim::Optimizer> make_optimizer(const std::vector<Parameter>& parameters, const TrainOptions& options,
                                                 const optim::Schedule& lr) {
  const Entry& found = find(options.optimizer);
  return found.make(optim::decay_weights(parameters, found.decay), options, lr);
}

}  // namespace temper
