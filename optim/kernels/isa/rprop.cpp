#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void rprop(const RpropScalars& s, float* p_data, const float* g_data, float* before_data, float* size_data, Index n) {
  const Vec scale(s.scale), start(s.start), shrink(s.shrink), grow(s.grow), least(s.least), most(s.most), zero(0.0f),
      one(1.0f);
  sweep(
      n,
      [=](Vec& p, Vec& g, Vec& before, Vec& size) {
        g = scale * g;
        size = size + start;
        // Compares signs: the product of two small gradients can underflow to zero.
        const auto same = ((g > zero) & (before > zero)) | ((g < zero) & (before < zero));
        const auto flipped = ((g > zero) & (before < zero)) | ((g < zero) & (before > zero));
        size = size * xsimd::select(same, grow, xsimd::select(flipped, shrink, one));
        size = xsimd::select(size > most, most, xsimd::select(size < least, least, size));
        g = xsimd::select(flipped, zero, g);
        p = p - xsimd::select(g > zero, size, xsimd::select(g < zero, -size, g));
        before = g;
      },
      State{p_data}, Input{g_data}, State{before_data}, State{size_data});
}

constexpr void fill(Table& table) { table.rprop = rprop; }

}  // namespace

constexpr Table rprop_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
