#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

/// How far Muon moves a matrix [rows, columns] for a learning rate.
enum class MuonScale {
  match_adamw,  ///< 0.2 sqrt(max(rows, columns)): elements move as AdamW's, so lr and weight_decay are AdamW's too
  spectral      ///< sqrt(max(1, rows / columns)): outputs move by lr, as first published; lr is about 0.02
};

/// The polynomials that make a matrix orthogonal, with the steps they are usually taken.
enum class NewtonSchulz {
  jordan,        ///< 5 steps: singular values end between 0.7 and 1.2. As first published
  exact,         ///< 12 steps of (2, -1.5, 0.5): they end at 1
  polar_express  ///< 5 steps, each with the best polynomial for what the one before leaves
};

/// The output layers among some parameters: those called head, lm_head or classifier, and the last 2-D weight of the
/// list where there are several, as models list their layers from input to output.
Predicate output_layers(const std::vector<Parameter>& parameters);

/// The weights among some parameters that Muon is for: of two axes and more, but no embedding, no output layer, not the
/// first convolution of the list, no depthwise convolution, and no matrix more than 128 times as long as wide.
Predicate hidden_matrices(const std::vector<Parameter>& parameters);

/// Groups for Muon with MuonScale::spectral and the rate of the matrices as its lr: "matrices", "embeddings" (28 times
/// that rate), "output" (0.16), "others" (0.6, without decay), as tuned for a GPT by the speed runs of modded-nanogpt,
/// where lr = 0.025, weight_decay = 0.05, beta1 = 0.8, beta2 = 0.95 and eps = 1e-10.
Groups muon_groups(const std::vector<Parameter>& parameters);

/// How many rows each matrix has in a weight that is several, one below the other; empty: it is one matrix.
using RowBlocks = std::function<std::vector<std::int64_t>(const Parameter&)>;
/// Three of the same size for nn::MultiheadAttention's in_proj_weight: queries, keys and values.
RowBlocks attention_projections();

struct MuonOptions {
  Schedule lr = 1e-3;
  Schedule momentum = 0.95;
  bool nesterov = true;
  Schedule weight_decay = 0.01;  ///< decoupled
  Decay decay = Decay::coupled;
  bool cautious_decay = false;  ///< decay only elements that the step brings nearer to 0
  MuonScale scale = MuonScale::match_adamw;
  NewtonSchulz iteration = NewtonSchulz::jordan;
  int steps = 0;  ///< of the iteration; 0: as many as usual
  RowBlocks row_blocks = attention_projections();
  Predicate adamw{};           ///< weights that AdamW updates all the same; empty: all but hidden_matrices()
  Schedule adamw_scale = 1.0;  ///< AdamW's learning rate is this times lr
  Schedule beta1 = 0.9;        ///< this and the next two are AdamW's
  Schedule beta2 = 0.95;
  Schedule eps = 1e-8;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

struct NorMuonOptions {
  Schedule lr = 1e-3;
  Schedule momentum = 0.95;
  Schedule row_beta = 0.95;  ///< what the mean squares of rows keep of themselves
  Schedule floor = 0.0;  ///< the least norm of a step, as a share of the matrix's norm, before lr; 0.35 without decay
  bool nesterov = true;
  Schedule weight_decay = 0.01;
  Decay decay = Decay::coupled;
  bool cautious_decay = false;
  MuonScale scale = MuonScale::match_adamw;
  NewtonSchulz iteration = NewtonSchulz::jordan;
  int steps = 0;
  RowBlocks row_blocks = attention_projections();
  Predicate adamw{};
  Schedule adamw_scale = 1.0;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.95;
  Schedule eps = 1e-8;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// For weights of hidden layers: the momentum, made nearly orthogonal by a Newton-Schulz iteration in matrix products.
/// Convolutions are taken as matrices [out, all else]; a weight that is several matrices one below the other, as
/// attention's projections, is updated as those. All else is updated by AdamW. The
/// iteration sees whole matrices, between the reading of the gradients and the sweep. Source: Jordan et al., "Muon: an
/// optimizer for hidden layers in neural networks" (2024); match_adamw: Liu et al., "Muon is scalable for LLM training"
/// (2025), section 2.2.
class Muon : public Optimizer {
 public:
  Muon(const Groups& groups, const MuonOptions& options = {});

 protected:
  struct Normalized {};
  Muon(const Groups& groups, const NorMuonOptions& options, Normalized);

 private:
  /// One matrix of a parameter.
  struct Block {
    std::int64_t begin, rows, columns;  // its first row
    double scale;
  };

  void find_blocks(const RowBlocks& row_blocks);
  void prepare(Now& now) const override;
  void transform(const Whole& whole) const override;
  void update(const Piece& piece) const override;
  void normalize(const Whole& whole, const Block& block) const;

  bool nesterov_;
  bool normalizes_ = false;
  bool cautious_decay_;
  Decay decay_;
  MuonScale scale_;
  NewtonSchulz iteration_;
  int steps_;
  std::vector<std::vector<Block>> blocks_;  // per parameter
};

/// Muon whose rows (columns, where there are fewer) are also divided by the root of their own mean square, as the steps
/// of neurons differ by much after orthogonalization. The norm of the whole stays. Source: Li et al., "NorMuon: making
/// Muon more efficient and scalable" (2025).
class NorMuon final : public Muon {
 public:
  NorMuon(const Groups& groups, const NorMuonOptions& options = {}) : Muon(groups, options, Normalized{}) {}
};

}  // namespace temper::optim
