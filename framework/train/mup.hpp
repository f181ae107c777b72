#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <temper/nn/module.hpp>
#include <temper/optim/group.hpp>

namespace temper {

/// Whether an optimizer's step depends on the size of the gradients.
enum class MupRule {
  adam,  ///< it does not: Adam, AdamW, Adamax, RMSprop, Lion
  sgd    ///< it does: SGD and SGDW, with momentum or without
};

struct MupOptions {
  /// Decoupled weight decay of weights and embeddings, at the base's rate: divided by a group's lr_scale, so that rate
  /// times decay is the same at every width. Biases and norm gains do not decay. None: what the optimizer says.
  std::optional<double> weight_decay{};
};

/// The maximal update parametrization: scales the initial weights of `model` in place, and returns groups with the
/// rates, so that a learning rate found with the narrow `base` is right for the wide model. `base` is the same network
/// of the width that was tuned; what is wider is seen from the shapes.
///
///     const nn::Sequential base = network(64), model = network(1024);
///     optim::AdamW adamw(mup(model, base, MupRule::adam, {.weight_decay = 0.01}), {.lr = 3e-3});
///
/// With m_in and m_out, how many times wider a weight's inputs and outputs are than the base's, its initial size is the
/// base's times min(1, sqrt(m_out / m_in)) / sqrt(m_in); its rate is multiplied by 1 / m_in for Adam, by m_out / m_in
/// for SGD. So hidden weights start smaller by sqrt(m) and have the rate 1 / m (Adam) or 1 (SGD), the last layer starts
/// smaller by m; embeddings, biases and norm gains start as the base's do. All weights equal those of `base` in size,
/// whatever initialization both have; the drawn pattern is the model's own.
///
/// Two things are in the forward pass and yours: attention divides by the size of a head in place of its root, and a
/// readout whose weight is that of the embedding divides the logits by m.
/// Throws: ValueError that lists each parameter that `base` does not have, or in another form, or that is not f32;
/// nothing has changed then.
/// Source: Yang et al., "Tensor Programs V: tuning large neural networks via zero-shot hyperparameter transfer" (2022),
/// table 3; as one formula: Yang, Simon, Bernstein, "A spectral condition for feature learning" (2023).
optim::Groups mup(const nn::Module& model, const nn::Module& base, MupRule rule, const MupOptions& options = {});

/// The sizes of activations over widths: under muP they stay, else they grow with the width when the model has been
/// trained for some steps.
///
///     CoordinateCheck check;
///     for (const std::int64_t width : {64, 128, 256, 512}) {
///       ... build the model; then for each of a few steps:
///         check.add(width, model, [&] { model(inputs); });
///         train one step
///     }
///     print("{}", check.text());
///     if (check.growth() > 0.3) ...
///
/// Source: Yang et al., "Tensor Programs V" (2022), appendix D.1.
class CoordinateCheck {
 public:
  /// Runs the model by `forward`, without recording, and notes the root of the mean square of what each of its layers
  /// puts out. The n-th call for a width is step n of it.
  void add(std::int64_t width, const nn::Module& model, const std::function<void()>& forward);

  /// The names of the layers, as in the model's summary; "output" for the model itself.
  std::vector<std::string> layers() const;
  /// The size of a layer's activations. `step` counts from 0. Throws: ValueError when it was not measured.
  double size(const std::string& layer, std::int64_t width, std::size_t step) const;
  /// The slope of the logarithm of a layer's size over that of the width, by least squares, at the last step that all
  /// widths have: 0 is flat, 1 as wide, as large. Throws: ValueError with fewer than two widths, or for an unknown layer.
  double growth(const std::string& layer) const;
  /// The largest of all layers. Throws: as above.
  double growth() const;
  /// A table: a line a layer, with its size at each width and its growth, at the last step.
  std::string text() const;

 private:
  std::size_t last_step() const;

  /// [width][step][layer]
  std::map<std::int64_t, std::vector<std::map<std::string, double>>> sizes_;
  std::vector<std::string> layers_;
};

}  // namespace temper
