#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct AdagradOptions {
  Schedule lr = 0.01;
  Schedule lr_decay = 0.0;  ///< lr / (1 + lr_decay (t - 1))
  Schedule eps = 1e-10;
  Schedule l2 = 0.0;       ///< l2 * p is added to the gradient
  Schedule initial = 0.0;  ///< initial value of the sums
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
  /// Sparse parameters keep one sum for each row, of the mean of the row's squared gradients, instead of one for each
  /// element.
  bool row_wise = false;
};

/// Steps scaled by the sum of all squared gradients so far.
/// Of a sparse parameter (Parameter::make_sparse) the rows with a gradient alone change, which without l2 is no
/// approximation. Source: Duchi, Hazan, Singer, "Adaptive subgradient methods" (2011); `.row_wise`: Naumov et al.,
/// "Deep learning recommendation model" (2019), as its code.
class Adagrad final : public Optimizer {
 public:
  /// Throws: ValueError as Optimizer, and for row_wise with l2.
  Adagrad(const Groups& groups, const AdagradOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;

  bool row_wise_;
};

}  // namespace temper::optim
