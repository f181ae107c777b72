#include <temper/train/info.hpp>

#include <temper/core/parallel.hpp>
#include <temper/core/version.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/onednn_version.hpp"

namespace temper {

std::string version() {
  return fmt::format("{}.{}.{}", TEMPER_VERSION_MAJOR, TEMPER_VERSION_MINOR, TEMPER_VERSION_PATCH);
}

std::string info() {
  const int count = threads();
  return fmt::format("Temper {}, {}, {} thread{}, oneDNN {}", version(), kernels::to_string(kernels::isa()), count,
                     count == 1 ? "" : "s", kernels::onednn_version());
}

}  // namespace temper
