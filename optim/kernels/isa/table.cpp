#include "optim/kernels/isa/parts.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

constexpr Parts parts = {&sums_kernels,      &sgd_kernels,       &adam_kernels,          &adam_narrow_kernels,
                         &average_kernels,   &nadam_kernels,     &adamax_kernels,        &adagrad_kernels,
                         &rmsprop_kernels,   &lion_kernels,      &lamb_kernels,          &muon_kernels,
                         &adafactor_kernels, &adam_take_kernels, &ademamix_kernels,      &adopt_kernels,
                         &adadelta_kernels,  &rprop_kernels,     &schedule_free_kernels, &prodigy_kernels,
                         &denormals_kernels};

}  // namespace temper::optim_kernels::TEMPER_ISA
