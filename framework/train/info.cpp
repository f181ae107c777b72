#include <temper/train/info.hpp>

#include <temper/core/parallel.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/onednn_version.hpp"

namespace temper {

std::string version() { return TEMPER_VERSION; }

std::string info() {
  const int count = threads();
  return fmt::format("Temper {}, {}, {} thread{}, oneDNN {}", version(), kernels::to_string(kernels::isa()), count,
                     count == 1 ? "" : "s", kernels::onednn_version());
}

}  // namespace temper
