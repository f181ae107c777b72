#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/dataset.hpp>
#include <temper/data/transforms.hpp>

namespace temper::data {

/// A data set of images whose first field goes through transforms, in order, anew each epoch:
///
///     data::Augmented(data::FashionMnist(data::Split::train),
///                     {data::RandomCrop{.padding = 4}, data::RandomHorizontalFlip{}, data::Cutout{8}})
///
/// Example i of an epoch is a function of the epoch's seed and number and of i.
template <class D>
class Augmented : detail::RequireDataset<D> {
 public:
  /// Throws: ValueError for an empty function.
  explicit Augmented(D dataset, std::vector<Transform> transforms)
      : dataset_(std::move(dataset)), transforms_(std::move(transforms)) {
    for (const Transform& transform : transforms_) {
      if (!transform) throw ValueError("Augmented: an empty function among the transforms");
    }
  }

  std::int64_t size() const { return dataset_.size(); }
  ExampleOf<D> get(std::int64_t i, const Epoch& epoch) const {
    // Another seed inside, so that data sets in one another do not draw the same numbers.
    ExampleOf<D> fields = example(dataset_, i, {.seed = ~epoch.seed, .number = epoch.number});
    Draw draw(epoch, i, black());
    Tensor& image = std::get<0>(fields);
    for (const Transform& transform : transforms_) image = transform(std::move(image), draw);
    return fields;
  }

  /// What a black pixel of the data set is.
  float black() const {
    if constexpr (requires { dataset_.black(); }) {
      return dataset_.black();
    } else {
      return 0.0f;
    }
  }
  const D& dataset() const { return dataset_; }

 private:
  D dataset_;
  std::vector<Transform> transforms_;
};

}  // namespace temper::data
