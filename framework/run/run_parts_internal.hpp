#pragma once

#include <string>

#include <temper/run/run.hpp>

#include "framework/autograd/receivers_internal.hpp"

namespace temper::detail {

/// The parameters and buffers of all models of a run, by name. They share memory with the models.
Tensors model_tensors(const RunParts& parts);

/// A checkpoint of all parts, with notes about loaders and state beyond the first loader.
Checkpoint checkpoint_of(const RunParts& parts);

/// Restores all parts and the random counters, all or nothing.
/// Throws: FileError that lists everything that does not fit.
void restore(const Checkpoint& checkpoint, const RunParts& parts);

/// Throws: ValueError for a parameter that got a gradient and is no part of the run, so that it is neither stepped nor
/// saved.
void check_receivers(const GradientReceivers& receivers, const RunParts& parts);

}  // namespace temper::detail
