// In place of mpi.cpp where MPI is not installed.

#include "framework/core/format_internal.hpp"
#include "framework/distributed/mpi_internal.hpp"

namespace temper::distributed::detail {

std::unique_ptr<Transport> mpi_transport() {
  if (!started_by_launcher()) return nullptr;
  fail<ValueError>(
      "this program was started as one of several processes, and its Temper was built without MPI, so that each would "
      "train alone; install MPI (libopenmpi-dev) and build again");
}

}  // namespace temper::distributed::detail
