// Clipping of gradients row by row, relative to the weights' norms.

#include <temper/optim/adaptive_clip.hpp>

#include <algorithm>
#include <cmath>

#include <temper/core/parallel.hpp>
#include <temper/optim/muon.hpp>

#include "framework/core/format_internal.hpp"
#include "optim/engine_internal.hpp"
#include "optim/kernels/table.hpp"

namespace temper::optim {

void Optimizer::Engine::clip_adaptively(const AdaptiveClipOptions& options) {
  if (!(options.clipping > 0.0) || !(options.eps >= 0.0)) {
    fail<ValueError>(
        "{}: gradients are clipped to {} of the weights with an eps of {}, expected above 0 and at least 0",
        definition_.name, options.clipping, options.eps);
  }
  if (adaptive_clip_) fail<ValueError>("{}: gradients are clipped adaptively already", definition_.name);
  adaptive_clip_ = options;
  std::vector<Parameter> all;
  for (const Slot& slot : slots_) all.push_back(slot.parameter);
  if (!adaptive_clip_->skip) adaptive_clip_->skip = output_layers(all);
  for (Slot& slot : slots_) slot.clipped = !adaptive_clip_->skip(slot.parameter);
}

void Optimizer::Engine::clip_rows(Active& active) {
  const optim_kernels::Table& kernels = optim_kernels::current();
  const Shape& shape = active.slot->parameter.shape();
  if (active.size == 0) return;
  const std::int64_t columns = shape.rank() > 1 ? shape.numel() / shape[0] : active.size;
  const std::int64_t rows = active.size / columns;
  if (active.slot->debts) pay(*active.slot, std::span(active.rows, static_cast<std::size_t>(rows)));
  float* const g = own_gradient(active);
  parallel_for(rows, std::max<std::int64_t>(1, detail::piece_size / columns),
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t row = first; row < last; ++row) {
                   const std::int64_t place = active.rows != nullptr ? active.rows[row] : row;
                   const double size = std::sqrt(kernels.sum_squares(active.p + place * columns, columns));
                   const double norm = std::sqrt(kernels.sum_squares(g + row * columns, columns)) / options_.divide_by;
                   const double limit = adaptive_clip_->clipping * std::max(size, adaptive_clip_->eps);
                   // Gradients that are not finite are left for NonFinite to handle.
                   if (!(norm > limit) || !std::isfinite(norm)) continue;
                   kernels.scale(g + row * columns, static_cast<float>(limit / std::max(norm, 1e-6)), g + row * columns,
                                 columns);
                 }
               });
}

}  // namespace temper::optim
