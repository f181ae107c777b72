#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels::TEMPER_ISA {

constexpr Parts parts = {&elementwise_kernels, &reduce_kernels, &softmax_kernels, &loss_kernels, &norm_kernels,
                         &batch_norm_kernels,  &random_kernels, &layout_kernels,  &pool_kernels, &product_kernels};

}  // namespace temper::kernels::TEMPER_ISA
