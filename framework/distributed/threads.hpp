#pragma once

#include <functional>

#include <temper/distributed/group.hpp>

namespace temper::distributed {

/// Calls `body(group)` on `processes` threads of this process, each of which is one of a group, and returns when all have
/// ended: for tests without MPI, and for trying out a program. What they share besides, such as the generator of
/// manual_seed, remains shared. Throws: ValueError below 1; the first exception that one of them threw.
void run_threads(int processes, const std::function<void(Group&)>& body, const GroupOptions& options = {});

}  // namespace temper::distributed
