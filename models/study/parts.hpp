#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/study/records.hpp"
#include "models/study/study.hpp"

namespace temper::study {

/// What the parts of the study share.
struct Part {
  const Bench& bench;
  Records& records;
  std::string folder;  ///< for pictures
  bool quick = false;  ///< coarser grids
};

/// Warm-up of five lengths at eight rates, for seven optimizers: final accuracies and the worst early losses.
void study_warmup_grid(const Part& part);
/// L2 and decoupled decay at eight rates and eight decays, for SGD, with momentum, and Adam: the best regions, and how
/// far they lie along an axis. Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (2019), figure 2.
void study_decay_grid(const Part& part);
/// First batches of one class or of similar images: what they leave behind, and how long until it is gone.
void study_primacy(const Part& part);
/// The error of Adam's second moments and the largest eigenvalue of the Hessian, during warm-up and without it.
void study_curvature(const Part& part);
/// The largest eigenvalue of the Hessian of a loss over images, by power iteration. Leaves the weights as they are.
double sharpness(const nn::Sequential& model, const Tensor& images, const Tensor& labels, int iterations);
/// Warm-up with linear decay, as BERT has it, beside other shapes at the same number of updates.
void study_shapes(const Part& part);

/// Names of the parts, and the Scale of each one's network and data.
struct NamedPart {
  std::string name;
  void (*study)(const Part&);
  std::int64_t images;
  int epochs;
};
const std::vector<NamedPart>& parts();

/// Correlation of two lists.
double correlation(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace temper::study
