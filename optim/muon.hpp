#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

/// How far Muon moves a matrix [rows, columns] for a learning rate.
enum class MuonScale {
  match_adamw,  ///< 0.2 sqrt(max(rows, columns)): elements move as AdamW's, so lr and weight_decay are AdamW's too
  spectral      ///< sqrt(max(1, rows / columns)): outputs move by lr, as first published; lr is about 0.02
};

/// The output layers among some parameters: those called head, lm_head or classifier, and the last 2-D weight of the
/// list where there are several, as models list their layers from input to output.
Predicate output_layers(const std::vector<Parameter>& parameters);

struct MuonOptions {
  Schedule lr = 1e-3;
  Schedule momentum = 0.95;
  bool nesterov = true;
  Schedule weight_decay = 0.01;  ///< decoupled
  Decay decay = Decay::coupled;
  MuonScale scale = MuonScale::match_adamw;
  int steps = 5;               ///< of the Newton-Schulz iteration
  Predicate adamw{};           ///< 2-D weights that AdamW updates all the same; empty: output_layers()
  Schedule adamw_scale = 1.0;  ///< AdamW's learning rate is this times lr
  Schedule beta1 = 0.9;        ///< this and the next two are AdamW's
  Schedule beta2 = 0.95;
  Schedule eps = 1e-8;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// For 2-D weights of hidden layers: the momentum, made nearly orthogonal by five steps of a Newton-Schulz iteration in
/// matrix products. All else (embeddings, output layer, biases, gains, convolutions) is updated by AdamW. The iteration
/// sees whole matrices, between the reading of the gradients and the sweep.
/// Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024); match_adamw: Liu et al.,
/// "Muon is scalable for LLM training" (2025), section 2.2.
class Muon final : public Optimizer {
 public:
  Muon(const Groups& groups, const MuonOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void transform(const Whole& whole) const override;
  void update(const Piece& piece) const override;

  bool nesterov_;
  Decay decay_;
  MuonScale scale_;
  int steps_;
  std::vector<float> scales_;  // per parameter
};

}  // namespace temper::optim
