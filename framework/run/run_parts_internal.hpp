#pragma once

#include <string>

#include <temper/run/run.hpp>

namespace temper::detail {

/// The parameters and buffers of all models of a run, by name. They share memory with the models.
Tensors model_tensors(const RunParts& parts);

/// The state of all parts now, with the notes that some of them need.
Checkpoint checkpoint_of(const RunParts& parts);

/// Puts all parts and the random counters where they were, all or nothing.
/// Throws: FileError that lists everything that does not fit.
void restore(const Checkpoint& checkpoint, const RunParts& parts);

}  // namespace temper::detail
