#pragma once

#include <array>
#include <filesystem>
#include <string_view>

#include <temper/data/image_dataset.hpp>
#include <temper/data/split.hpp>

namespace temper::data {

struct FashionMnistOptions {
  std::filesystem::path path = {};  ///< the folder of its four files; by default the usual places are searched
  float mean = 0.2860f;             ///< of all training pixels from 0 to 1
  float deviation = 0.3530f;        ///< their standard deviation
};

/// Fashion-MNIST: 60,000 training and 10,000 test pictures of clothes in ten classes. Example i is {image f32
/// [28, 28, 1], label i64 []}; a pixel x becomes (x / 255 - mean) / deviation.
///
/// Searched are, unless options.path is set, $TEMPER_DATA (and fashion-mnist below it), /usr/share/datasets,
/// /usr/local/share/datasets and ./data.
/// Throws: FileError when it is not found (with every path tried and the command that installs it) or damaged.
/// Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms"
/// (2017).
class FashionMnist : public ImageDataset {
 public:
  explicit FashionMnist(Split split, const FashionMnistOptions& options = {});

  static constexpr std::array<std::string_view, 10> class_names = {
      "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"};
};

}  // namespace temper::data
