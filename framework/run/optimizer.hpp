#pragma once

#include <memory>
#include <string>
#include <vector>

#include <temper/run/options.hpp>

namespace temper {

/// "adamw", "sgd", ...: the values of TrainOptions::optimizer.
const std::vector<std::string>& optimizer_names();

/// Whether the optimizer has `weight_decay`; the others have `l2`. Throws, as all here: as make_optimizer.
bool decays_decoupled(const std::string& name);

/// Whether the optimizer has `momentum`, `beta2`.
bool has_momentum(const std::string& name);
bool has_beta2(const std::string& name);

/// Default learning rate of an optimizer, as text, and its default momentum, 0 if it has none.
std::string customary_lr(const std::string& name);
double customary_momentum(const std::string& name);

/// The optimizer with these options. Weight decay, decoupled if the method has it so, applies to weights and embeddings
/// only. Throws: ValueError for a name that is not one of optimizer_names().
std::unique_ptr<optim::Optimizer> make_optimizer(const std::vector<Parameter>& parameters, const TrainOptions& options,
                                                 const optim::Schedule& lr);

}  // namespace temper
