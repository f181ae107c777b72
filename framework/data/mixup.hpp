#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <utility>

#include <temper/data/dataset.hpp>

namespace temper::data {

struct MixupOptions {
  double alpha = 1.0;        ///< weights are from Beta(alpha, alpha): 1 is uniform, near 0 hardly mixes
  std::int64_t classes = 0;  ///< labels are below
};

namespace detail {

/// Who example i is mixed with, and its own share.
struct Mix {
  std::int64_t partner;
  float share;
};
Mix draw_mix(const Epoch& epoch, std::int64_t i, std::int64_t size, double alpha);
void check_mixup(const MixupOptions& options);
/// share * a + (1 - share) * b
Tensor mixed(const Tensor& a, const Tensor& b, float share);
/// The same of labels as probabilities, [classes].
Tensor mixed_labels(const Tensor& a, const Tensor& b, float share, std::int64_t classes);

}  // namespace detail

/// Each example mixed with a random other one: {input, label i64 []} becomes {share * input + (1 - share) * other,
/// probabilities f32 [classes]}, which cross_entropy takes. Example i of an epoch is a function of the epoch's seed and
/// number and of i.
/// Source: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization" (2017).
template <class D>
class Mixup : detail::RequireDataset<D> {
  static_assert(std::tuple_size_v<ExampleOf<D>> == 2, "Mixup needs a data set of {input, label}");

 public:
  /// Throws: ValueError for an alpha that is not positive, or less than one class.
  Mixup(D dataset, const MixupOptions& options) : dataset_(std::move(dataset)), options_(options) {
    detail::check_mixup(options_);
  }

  std::int64_t size() const { return dataset_.size(); }
  /// Throws: ShapeError for inputs of different shapes; ValueError for a label outside the classes.
  std::array<Tensor, 2> get(std::int64_t i, const Epoch& epoch) const {
    const auto [partner, share] = detail::draw_mix(epoch, i, size(), options_.alpha);
    const auto [input, label] = example(dataset_, i, epoch);
    const auto [other, other_label] = example(dataset_, partner, epoch);
    return {detail::mixed(input, other, share), detail::mixed_labels(label, other_label, share, options_.classes)};
  }
  const D& dataset() const { return dataset_; }

 private:
  D dataset_;
  MixupOptions options_;
};

}  // namespace temper::data
