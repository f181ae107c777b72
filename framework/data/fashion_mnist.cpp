#include <temper/data/fashion_mnist.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/locate_internal.hpp"

namespace temper::data {

namespace {

ImageDataset read(Split split, const FashionMnistOptions& options) {
  temper::detail::KnownFiles wanted{.name = "fashion-mnist",
                                    .files = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
                                    .install = "apt-get install dataset-fashion-mnist"};
  if (split == Split::test) wanted.files = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
  const std::vector<std::filesystem::path> files = temper::detail::locate(wanted, options.path);
  ImageDataset images(files[0], files[1], {.mean = options.mean, .deviation = options.deviation, .classes = 10});
  if (!(images.shape() == Shape{images.size(), 28, 28, 1})) {
    fail<FileError>("{}: holds images {}, expected [N, 28, 28]", temper::detail::printable(files[0].native()),
                    images.shape());
  }
  return images;
}

}  // namespace

FashionMnist::FashionMnist(Split split, const FashionMnistOptions& options) : ImageDataset(read(split, options)) {}

}  // namespace temper::data
