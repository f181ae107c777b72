#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <temper/core/random.hpp>
#include <temper/data/dataset.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper::data {

/// What the transforms of one example draw from. The numbers depend on the epoch, the example's number and the order in
/// which they are asked for, and on nothing else.
class Draw {
 public:
  /// `black` is what a black pixel of the data set is.
  Draw(const Epoch& epoch, std::int64_t index, float black = 0.0f)
      : random_(epoch.seed, temper::detail::RandomUse::transform, static_cast<std::uint64_t>(epoch.number),
                static_cast<std::uint64_t>(index)),
        black_(black) {}

  /// In [0, 1).
  double uniform() { return random_.uniform(counter_++); }
  /// In [0, bound).
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(bound), counter_++));
  }
  float black() const { return black_; }

 private:
  temper::detail::RandomStream random_;
  std::uint64_t counter_ = 0;
  float black_;
};

/// A function of an image f32 [H, W, C]. Those below write into the image they are given when nobody shares it. All
/// throw: ShapeError for anything but an image; ValueError for options outside their range.
using Transform = std::function<Tensor(Tensor image, Draw& draw)>;

/// A square of `size` pixels, or one as large as the image, from a random place of the image with `padding` pixels of
/// `fill` around it.
struct RandomCrop {
  std::int64_t size = 0;  ///< 0: as large as the image
  std::int64_t padding = 0;
  std::optional<float> fill = std::nullopt;  ///< by default black

  /// Throws also: ValueError when the padded image is smaller than `size`.
  Tensor operator()(const Tensor& image, Draw& draw) const;
};

/// Mirrors left and right with probability `p`.
struct RandomHorizontalFlip {
  double p = 0.5;

  Tensor operator()(Tensor image, Draw& draw) const;
};

/// Overwrites a square whose centre is a random pixel; what lies outside the image is cut off.
/// Source: DeVries, Taylor, "Improved regularization of convolutional neural networks with cutout" (2017).
struct Cutout {
  std::int64_t size;  ///< side of the square
  double p = 1.0;     ///< probability of doing so
  float fill = 0.0f;  ///< 0 is the mean of normalized images

  Tensor operator()(Tensor image, Draw& draw) const;
};

/// (x - mean) / deviation, with one of each for all channels or one for each channel. Comes after RandomCrop, whose
/// black is that of the data set.
struct Normalize {
  std::vector<float> mean;
  std::vector<float> deviation;

  Tensor operator()(Tensor image, Draw& draw) const;
};

/// The image in another size, by bilinear interpolation between the centres of pixels, without antialiasing.
struct Resize {
  std::int64_t height;
  std::int64_t width;

  Tensor operator()(const Tensor& image, Draw& draw) const;
};

}  // namespace temper::data
