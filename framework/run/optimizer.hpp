#pragma once

#include <memory>
#include <string>
#include <vector>

#include <temper/run/options.hpp>

namespace temper {

/// "adamw", "sgd", ...: what TrainOptions::optimizer can be.
const std::vector<std::string>& optimizer_names();

/// Whether it takes `weight_decay`; the others take `l2`. Throws: as make_optimizer.
bool decays_decoupled(const std::string& name);

/// Whether it takes `momentum`, `beta2`.
bool has_momentum(const std::string& name);
bool has_beta2(const std::string& name);

/// The learning rate it is usually begun with, as a number's text, and the momentum; 0 of one that has none.
std::string customary_lr(const std::string& name);
double customary_momentum(const std::string& name);

/// The optimizer that the options say. Weight decay is decoupled where the method has it that way, and applies to
/// weights and embeddings alone. Throws: ValueError for a name that is not one of optimizer_names().
std::unique_ptr<optim::Optimizer> make_optimizer(const std::vector<Parameter>& parameters, const TrainOptions& options,
                                                 const optim::Schedule& lr);

}  // namespace temper
