#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct SOAPOptions {
  Schedule lr = 3e-3;
  Schedule beta1 = 0.95;
  Schedule beta2 = 0.95;
  Schedule shampoo_beta = 0.95;  ///< decay of the means of outer products
  Schedule eps = 1e-8;
  Schedule weight_decay = 0.01;  ///< decoupled
  Decay decay = Decay::coupled;
  Step every = 10;               ///< number of updates between computations of the bases
  std::int64_t max_side = 2048;  ///< rows or columns are not rotated if there are more than this
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Adam in the eigenbases of Shampoo's two means of outer products, [rows, rows] and [columns, columns] for each weight
/// with two or more axes, as a matrix [first axis, all others]. Biases and gains are updated by Adam. The first update
/// of a parameter only computes its bases, by an eigendecomposition; later ones are computed by a QR decomposition.
/// Both are in double on one thread: the former takes seconds for 1,000 rows. Source: Vyas et al., "SOAP: improving and
/// stabilizing Shampoo using Adam" (2024), algorithm 3 and the authors' code.
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
