#pragma once

// The optimizers' kernels of one instruction set. Each file of this folder fills its part of the table.

#include "framework/kernels/isa/parts.hpp"
#include "optim/kernels/table.hpp"

namespace temper::optim_kernels {

using kernels::filled;
using Parts = std::array<const Table*, 21>;

#if defined(TEMPER_ISA)
namespace TEMPER_ISA {
extern const Table sums_kernels, sgd_kernels, adam_kernels, adam_narrow_kernels, average_kernels, nadam_kernels,
    adamax_kernels, adagrad_kernels, rmsprop_kernels, lion_kernels, lamb_kernels, muon_kernels, adafactor_kernels,
    adam_take_kernels, ademamix_kernels, adopt_kernels, adadelta_kernels, rprop_kernels, schedule_free_kernels,
    prodigy_kernels, denormals_kernels;
extern const Parts parts;
}  // namespace TEMPER_ISA
#endif

}  // namespace temper::optim_kernels
