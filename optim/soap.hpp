#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct SOAPOptions {
  Schedule lr = 3e-3;
  Schedule beta1 = 0.95;
  Schedule beta2 = 0.95;
  Schedule shampoo_beta = 0.95;  ///< what the sums of outer products keep of themselves
  Schedule eps = 1e-8;
  Schedule weight_decay = 0.01;  ///< decoupled
  Decay decay = Decay::coupled;
  Step every = 10;               ///< updates from one renewal of the bases to the next
  std::int64_t max_side = 2048;  ///< sides longer than this are not rotated
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Adam in the eigenbases of Shampoo's two sums of outer products, [rows, rows] and [columns, columns] for each weight
/// of two axes and more (all but the first are one). Biases and gains are updated by Adam. The first update of a
/// parameter makes its bases and moves nothing. The bases come from an eigendecomposition at first, then every `every`
/// updates from a QR decomposition, both in double on one thread: a side of 1,000 takes seconds for the former. Source:
/// Vyas et al., "SOAP: improving and stabilizing Shampoo using Adam" (2024), algorithm 3 and its authors' code.
class SOAP final : public Optimizer {
 public:
  /// Throws: ValueError unless `every` and `max_side` are at least 1.
  SOAP(Groups groups, const SOAPOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void transform(const Whole& whole) const override;
  void update(const Piece& piece) const override;

  Decay decay_;
  Step every_;
};

}  // namespace temper::optim
