#include <doctest/doctest.h>
#include <stdlib.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <string>

#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>
#include <temper/data/fashion_mnist.hpp>
#include <temper/data/loader.hpp>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::Folder;

namespace {

std::string missing(const data::FashionMnistOptions& options) {
  try {
    const data::FashionMnist dataset(data::Split::test, options);
  } catch (const FileError& error) {
    return error.what();
  }
  return "found";
}

}  // namespace

TEST_CASE("Fashion-MNIST: the test images, normalized") {
  const data::FashionMnist test(data::Split::test);
  CHECK(test.size() == 10000);
  CHECK(test.shape() == Shape{10000, 28, 28, 1});
  CHECK(test.label(0) == 9);
  CHECK(data::FashionMnist::class_names[9] == "ankle boot");
  const auto [image, label] = test.get(0);
  CHECK(image.shape() == Shape{28, 28, 1});
  CHECK(image.values<float>()[0] == (0.0f - 0.2860f) / 0.3530f);
  CHECK(label.item() == 9);
}

TEST_CASE("Fashion-MNIST: mean and deviation of the training images are what the options say") {
  const data::FashionMnist train(data::Split::train);
  double sum = 0, squares = 0;
  std::array<int, 10> labels{};
  for (std::int64_t i = 0; i < train.size(); ++i) {
    for (const std::uint8_t x : train.pixels(i)) {
      sum += x;
      squares += double(x) * x;
    }
    ++labels[static_cast<std::size_t>(train.label(i))];
  }
  const double count = 60000.0 * 28 * 28;
  const double mean = sum / count;
  CHECK(train.size() == 60000);
  CHECK(mean / 255 == doctest::Approx(0.2860).epsilon(1e-3));
  CHECK(std::sqrt(squares / count - mean * mean) / 255 == doctest::Approx(0.3530).epsilon(1e-3));
  for (const int images : labels) CHECK(images == 6000);
}

TEST_CASE("Fashion-MNIST: the program's two lines") {
  manual_seed(1);
  data::Loader train(data::FashionMnist(data::Split::train), {.batch_size = 128, .shuffle = true});
  CHECK(train.size() == 60000);
  CHECK(train.batches() == 469);
  for (const auto& [images, labels] : train) {
    CHECK(images.shape() == Shape{128, 28, 28, 1});
    CHECK(labels.shape() == Shape{128});
    CHECK(labels.dtype() == Dtype::i64);
    break;
  }
}

TEST_CASE("Fashion-MNIST: found where $TEMPER_DATA points, or in the path given") {
  const Folder folder;
  const std::filesystem::path inner = folder / "fashion-mnist";
  std::filesystem::create_directory(inner);
  const std::string images{"\0\0\x08\x03\0\0\0\x01\0\0\0\x1c\0\0\0\x1c", 16};
  folder.write("fashion-mnist/t10k-images-idx3-ubyte", images + std::string(784, '\xff'));
  folder.write("fashion-mnist/t10k-labels-idx1-ubyte", {"\0\0\x08\x01\0\0\0\x01\x03", 9});
  CHECK(data::FashionMnist(data::Split::test, {.path = folder.path()}).size() == 1);
  CHECK(data::FashionMnist(data::Split::test, {.path = inner}).label(0) == 3);
  for (const auto& place : {folder.path(), inner}) {
    ::setenv("TEMPER_DATA", place.c_str(), 1);
    CHECK(data::FashionMnist(data::Split::test).size() == 1);
    ::unsetenv("TEMPER_DATA");
  }
  // Wrong, it is no reason to take what is installed.
  ::setenv("TEMPER_DATA", (folder / "none").c_str(), 1);
  CHECK(missing({}) == "$TEMPER_DATA is '" + (folder / "none").native() + "', which is no folder");
  ::unsetenv("TEMPER_DATA");
  folder.write("fashion-mnist/t10k-images-idx3-ubyte", {"\0\0\x08\x03\0\0\0\x01\0\0\0\x01\0\0\0\x01z", 17});
  CHECK(missing({.path = inner}).find("holds images [1, 1, 1, 1], expected [N, 28, 28]") != std::string::npos);
}

TEST_CASE("Fashion-MNIST: not found says where it looked and how to install it") {
  const Folder folder;
  const std::string error = missing({.path = folder.path()});
  const std::string place = folder.path().native();
  CHECK(error.starts_with("fashion-mnist: not found"));
  CHECK(error.find("apt-get install dataset-fashion-mnist") != std::string::npos);
  for (const char* tried : {"/t10k-images-idx3-ubyte.gz", "/t10k-images-idx3-ubyte", "/t10k-labels-idx1-ubyte",
                            "/fashion-mnist/t10k-images-idx3-ubyte.gz"}) {
    CHECK_MESSAGE(error.find("\n  " + place + tried) != std::string::npos, error);
  }
}
