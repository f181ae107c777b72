#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

/// The factor of Muon's orthogonal update of a matrix [rows, columns], beside the learning rate.
enum class MuonScale {
  match_adamw,  ///< 0.2 sqrt(max(rows, columns)): elements change as with AdamW, so use AdamW's lr and weight_decay
  spectral      ///< sqrt(max(1, rows / columns)): outputs change by lr, as first published; lr is about 0.02
};

/// The polynomial iteration that makes a matrix orthogonal, with its default number of steps.
enum class NewtonSchulz {
  jordan,        ///< 5 steps: singular values end between 0.7 and 1.2; as first published
  exact,         ///< 12 steps with the coefficients (2, -1.5, 0.5): singular values converge to 1
  polar_express  ///< 5 steps, each with the optimal polynomial for the range of singular values before it
};

/// The output layers among some parameters: those named head, lm_head or classifier, and the last 2-D weight of the
/// list if it has several, as models list their layers from input to output. The latter not where it has as many rows as
/// an embedding has columns: there the embedding's weight is the output's, too.
Predicate output_layers(const std::vector<Parameter>& parameters);

/// The weights among some parameters that Muon is meant for: those with two or more axes, except embeddings, output
/// layers, the first convolution of the list, depthwise convolutions, and matrices more than 128 times as long as wide.
Predicate hidden_matrices(const std::vector<Parameter>& parameters);

/// Groups for Muon with MuonScale::spectral and the rate of the matrices as its lr: "matrices", "embeddings" (28 times
/// that rate), "output" (0.16), "others" (0.6, without decay), as tuned for a GPT by the speed runs of modded-nanogpt,
/// where lr = 0.025, weight_decay = 0.05, beta1 = 0.8, beta2 = 0.95 and eps = 1e-10.
Groups muon_groups(const std::vector<Parameter>& parameters);

/// The number of rows of each matrix in a weight that consists of several stacked matrices; empty for a single one.
using RowBlocks = std::function<std::vector<std::int64_t>(const Parameter&)>;
/// Three matrices of the same size for nn::MultiheadAttention's in_proj_weight: queries, keys and values.
RowBlocks attention_projections();

struct MuonOptions {
  Schedule lr = 1e-3;
  Schedule momentum = 0.95;
  bool nesterov = true;
  Schedule weight_decay = 0.01;  ///< decoupled
  Decay decay = Decay::coupled;
  bool cautious_decay = false;  ///< decay only elements that the step moves towards 0
  MuonScale scale = MuonScale::match_adamw;
  NewtonSchulz iteration = NewtonSchulz::jordan;
  int steps = 0;  ///< of the iteration; 0: its default
  RowBlocks row_blocks = attention_projections();
  Predicate adamw{};           ///< weights that AdamW updates instead of Muon; empty: all but hidden_matrices()
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
  Schedule row_beta = 0.95;  ///< decay of the mean squares of rows
  Schedule floor = 0.0;  ///< minimum norm of a step, before lr, relative to the matrix's norm; use 0.35 without decay
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

/// For weights of hidden layers: steps along the momentum, made nearly orthogonal by a Newton-Schulz iteration of
/// matrix products. Convolutions are matrices [out, all else]; the matrices of a weight that consists of several, such
/// as attention's projections, are made orthogonal one by one. All other parameters are updated by AdamW; which ones
/// Muon updates by default, hidden_matrices() says.
/// Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024); match_adamw: Liu et al.,
/// "Muon is scalable for LLM training" (2025), section 2.2.
class Muon : public Optimizer {
 public:
  Muon(const Groups& groups, const MuonOptions& options = {});

 protected:
  struct Normalized {};
  Muon(const Groups& groups, const NorMuonOptions& options, Normalized);

 private:
  /// One matrix of a parameter, from row `begin` on.
  struct Block {
    std::int64_t begin, rows, columns;
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

/// Muon that also divides each row (column, if there are fewer rows) of the step by its running root mean square,
/// because the rows' norms differ much after orthogonalization. The norm of the whole step is kept. Source: Li et al.,
/// "NorMuon: making Muon more efficient and scalable" (2025).
class NorMuon final : public Muon {
 public:
  NorMuon(const Groups& groups, const NorMuonOptions& options = {}) : Muon(groups, options, Normalized{}) {}
};

}  // namespace temper::optim
