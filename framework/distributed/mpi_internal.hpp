#pragma once

#include <memory>

#include <temper/distributed/transport.hpp>

namespace temper::distributed::detail {

/// All processes that a launcher of MPI started; null when there is none, or it started one process. Throws: ValueError
/// when it started several and this build is without MPI.
std::unique_ptr<Transport> mpi_transport();

/// Whether mpirun, srun or another launcher of MPI started this process as one of several, by what they leave in the
/// environment.
bool started_by_launcher();

}  // namespace temper::distributed::detail
