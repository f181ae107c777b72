#include <array>
#include <cstdlib>
#include <string_view>

#include "framework/distributed/mpi_internal.hpp"

namespace temper::distributed::detail {

/// MPI is not even initialized without a launcher: that takes half a second, starts another process, and fails where MPI is
/// installed and not set up.
bool started_by_launcher() {
  // Open MPI's mpirun; MPICH's and Intel's; srun with --mpi=pmix and with --mpi=pmi2.
  constexpr std::array names = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK", "PMI_RANK"};
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value == nullptr) continue;
    const bool counts = std::string_view(name).ends_with("SIZE");
    if (!counts || std::string_view(value) != "1") return true;
    return false;
  }
  return false;
}

}  // namespace temper::distributed::detail
