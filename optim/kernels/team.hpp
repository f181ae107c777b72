#pragma once

// The parallel region of a step. OpenMP stays in the kernels.

#include <omp.h>

namespace temper::optim_kernels {

/// Runs work(thread, team) on every thread of one parallel region.
template <class Work>
void in_team(Work work) {
#pragma omp parallel
  work(omp_get_thread_num(), omp_get_num_threads());
}

/// Within a team: when all have come here, one runs `decide`, and the others wait for it. Alone: runs it.
template <class Decide>
void meet(Decide decide) {
#pragma omp barrier
#pragma omp single
  decide();
}

/// Within a team: one after the other.
template <class Body>
void one_at_a_time(Body body) {
#pragma omp critical(temper_optim)
  body();
}

}  // namespace temper::optim_kernels
