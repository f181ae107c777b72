#pragma once

#include <vector>

#include <temper/distributed/group.hpp>
#include <temper/nn/module.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::distributed::detail {

/// What the processes must have in common to train one model: parameters and buffers with their values, the optimizer's
/// options, and what decides about bits (CPU, threads, versions).
std::vector<Fact> facts_of(const nn::Module& model, const optim::Optimizer& optimizer);

}  // namespace temper::distributed::detail
