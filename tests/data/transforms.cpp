#include <temper/data/transforms.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>
#include <temper/data/augmented.hpp>
#include <temper/data/image_dataset.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/mixup.hpp>
#include <temper/data/tensor_dataset.hpp>

#include "tests/data/allocations.hpp"

using namespace temper;
using temper_test::allocations;

namespace {

/// Pixel (y, x, c) is 100 y + 10 x + c + 1: none is 0.
Tensor numbered(std::int64_t height, std::int64_t width, std::int64_t channels) {
  Tensor image = empty({height, width, channels});
  float* pixel = image.mutable_data<float>();
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) *pixel++ = static_cast<float>(100 * y + 10 * x + c + 1);
    }
  }
  return image;
}

std::vector<float> values(const Tensor& tensor) {
  return {tensor.values<float>().begin(), tensor.values<float>().end()};
}

data::ImageDataset images(std::int64_t count) {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    for (int pixel = 0; pixel < 36; ++pixel) pixels.push_back(static_cast<std::uint8_t>(i + 3 * pixel));
    labels.push_back(i % 5);
  }
  return {{count, 6, 6, 1}, std::move(pixels), std::move(labels), {.mean = 0.3f, .deviation = 0.5f}};
}

/// All inputs of an epoch by the order they come in, bit for bit.
template <class Loader>
std::vector<float> epoch_of(Loader& loader) {
  std::vector<float> all;
  for (const auto& [inputs, labels] : loader) {
    all.insert(all.end(), inputs.template values<float>().begin(), inputs.template values<float>().end());
  }
  return all;
}

auto augmented(std::int64_t count) {
  return data::Augmented(images(count), {data::RandomCrop{.padding = 2}, data::RandomHorizontalFlip{},
                                         data::Cutout{.size = 3}, data::Normalize{{0.1f}, {2.0f}}});
}

}  // namespace

TEST_CASE("random crop: every place equally often, black outside") {
  const Tensor image = numbered(3, 4, 2);
  std::map<std::vector<float>, int> crops;
  for (int i = 0; i < 9000; ++i) {
    data::Draw draw({.seed = 1}, i, -7.0f);
    const Tensor crop = data::RandomCrop{.padding = 1}(image, draw);
    REQUIRE(crop.shape() == image.shape());
    ++crops[values(crop)];
  }
  CHECK(crops.size() == 9);
  for (const auto& [crop, count] : crops) {
    CHECK(count > 850);  // 1000 expected, standard deviation 30
    CHECK(count < 1150);
  }
  CHECK(crops.contains(values(image)));
  // One up and one to the left: the first row and column are padding.
  std::vector<float> shifted;
  for (int y = -1; y < 2; ++y) {
    for (int x = -1; x < 3; ++x) {
      for (int c = 0; c < 2; ++c) {
        shifted.push_back(y < 0 || x < 0 ? -7.0f : static_cast<float>(100 * y + 10 * x + c + 1));
      }
    }
  }
  CHECK(crops.contains(shifted));
}

TEST_CASE("random crop: a part, more padding than image, an own fill") {
  data::Draw draw({.seed = 1}, 0, -7.0f);
  const Tensor part = data::RandomCrop{.size = 2}(numbered(5, 6, 1), draw);
  CHECK(part.shape() == Shape{2, 2, 1});
  const auto corner = values(part);
  CHECK(corner == std::vector<float>{corner[0], corner[0] + 10, corner[0] + 100, corner[0] + 110});
  std::set<float> seen;
  for (int i = 0; i < 200; ++i) {
    const Tensor far = data::RandomCrop{.size = 1, .padding = 3, .fill = 4.5f}(numbered(1, 1, 1), draw);
    seen.insert(far.values<float>()[0]);
  }
  CHECK(seen == std::set<float>{1.0f, 4.5f});
}

TEST_CASE("random horizontal flip: mirrored, channels in order") {
  data::Draw draw({.seed = 2}, 0);
  const Tensor image = numbered(2, 3, 2);
  const Tensor flipped = data::RandomHorizontalFlip{.p = 1.0}(image, draw);
  CHECK(values(flipped) == std::vector<float>{21, 22, 11, 12, 1, 2, 121, 122, 111, 112, 101, 102});
  CHECK(values(image) == values(numbered(2, 3, 2)));  // somebody else's stays as it was
  CHECK(data::RandomHorizontalFlip{.p = 0.0}(image, draw).same(image));
  CHECK(values(data::RandomHorizontalFlip{.p = 1.0}(numbered(1, 3, 1), draw)) == std::vector<float>{21, 11, 1});
  int flips = 0;
  for (int i = 0; i < 1000; ++i) {
    data::Draw each({.seed = 2}, i);
    flips += !data::RandomHorizontalFlip{.p = 0.3}(image, each).same(image);
  }
  CHECK(flips > 240);
  CHECK(flips < 360);
}

TEST_CASE("cutout: a square, cut off at the border") {
  std::map<std::ptrdiff_t, int> areas;
  for (int i = 0; i < 4000; ++i) {
    data::Draw draw({.seed = 3}, i);
    const Tensor cut = data::Cutout{.size = 2, .fill = -1.0f}(numbered(4, 4, 1), draw);
    ++areas[std::ranges::count(cut.values<float>(), -1.0f)];
  }
  // The square begins one pixel above and left of its centre: 9 of 16 centres lie whole inside, one in the corner.
  CHECK(areas.size() == 3);
  CHECK(std::abs(areas[4] - 2250) < 150);
  CHECK(std::abs(areas[2] - 1500) < 150);
  CHECK(std::abs(areas[1] - 250) < 80);
  data::Draw draw({.seed = 3}, 0);
  const Tensor image = numbered(3, 3, 1);
  CHECK(data::Cutout{.size = 3, .p = 0.0}(image, draw).same(image));
  CHECK(std::ranges::count(data::Cutout{.size = 9}(image, draw).values<float>(), 0.0f) == 9);
  CHECK(values(image) == values(numbered(3, 3, 1)));
}

TEST_CASE("normalize: one for all channels, or one for each") {
  data::Draw draw({}, 0);
  CHECK(values(data::Normalize{{1.0f}, {2.0f}}(numbered(1, 2, 2), draw)) == std::vector<float>{0, 0.5f, 5, 5.5f});
  CHECK(values(data::Normalize{{1, 2}, {2, 4}}(numbered(1, 2, 2), draw)) == std::vector<float>{0, 0, 5, 2.5f});
}

TEST_CASE("resize: bilinear") {
  data::Draw draw({}, 0);
  // As PyTorch 1.13's interpolate(mode="bilinear", align_corners=False).
  const Tensor image = from({1, 2, 3, 4, 5, 6}, {2, 3, 1});
  CHECK(values(data::Resize{4, 3}(image, draw)) ==
        std::vector<float>{1, 2, 3, 1.75f, 2.75f, 3.75f, 3.25f, 4.25f, 5.25f, 4, 5, 6});
  CHECK(values(data::Resize{1, 1}(image, draw)) == std::vector<float>{3.5f});
  CHECK(values(data::Resize{2, 6}(image, draw)) ==
        std::vector<float>{1, 1.25f, 1.75f, 2.25f, 2.75f, 3, 4, 4.25f, 4.75f, 5.25f, 5.75f, 6});
  CHECK(data::Resize{2, 3}(image, draw).same(image));
}

TEST_CASE("transforms: arguments are checked") {
  data::Draw draw({}, 0);
  const Tensor image = numbered(3, 3, 2);
  CHECK_THROWS_WITH_AS((data::RandomCrop{.size = 6, .padding = 1}(image, draw)),
                       "RandomCrop: size 6 of image [3, 3, 2] with padding 1", ValueError);
  CHECK_THROWS_WITH_AS(data::RandomCrop{.padding = -1}(image, draw),
                       "RandomCrop: size 0 and padding -1, expected 0 or more", ValueError);
  CHECK_THROWS_WITH_AS(data::RandomCrop{}(zeros({3, 3}), draw),
                       "RandomCrop: f32 [3, 3], expected an image f32 [H, W, C]", ShapeError);
  CHECK_THROWS_WITH_AS(data::RandomHorizontalFlip{.p = 1.5}(image, draw),
                       "RandomHorizontalFlip: p 1.5, expected 0 to 1", ValueError);
  CHECK_THROWS_WITH_AS(data::Cutout{.size = -1}(image, draw), "Cutout: size -1, expected 0 or more", ValueError);
  CHECK_THROWS_WITH_AS((data::Normalize{{1, 2, 3}, {1, 1, 1}}(image, draw)),
                       "Normalize: 3 means and 3 deviations for image [3, 3, 2], expected one of each or 2",
                       ValueError);
  CHECK_THROWS_WITH_AS((data::Normalize{{0}, {0}}(image, draw)), "Normalize: deviation 0, expected above 0",
                       ValueError);
  CHECK_THROWS_WITH_AS((data::Resize{0, 3}(image, draw)), "Resize: to 0 x 3, expected at least 1 x 1", ValueError);
  CHECK_THROWS_AS(data::Augmented(images(3), {data::Transform()}), ValueError);
}

TEST_CASE("augmented: a function of seed, epoch and number, whatever the workers") {
  const data::LoaderOptions options{.batch_size = 7, .shuffle = true, .workers = 0, .seed = 5};
  data::Loader plain(augmented(40), options);
  const std::array<std::vector<float>, 2> expected{epoch_of(plain), epoch_of(plain)};
  CHECK(expected[0] != expected[1]);
  for (const int workers : {1, 2, 3}) {
    data::LoaderOptions threaded = options;
    threaded.workers = workers;
    data::Loader loader(augmented(40), threaded);
    CHECK(epoch_of(loader) == expected[0]);
    CHECK(epoch_of(loader) == expected[1]);
  }
  // In any order and any batch, an example of an epoch is the same.
  data::Loader in_order(augmented(40), {.batch_size = 40, .seed = 5});
  const auto dataset = augmented(40);
  const std::vector<float> first = epoch_of(in_order);
  for (std::int64_t i = 0; i < 40; ++i) {
    const auto [image, label] = dataset.get(i, {.seed = 5, .number = 1});
    CHECK(std::ranges::equal(image.values<float>(), std::span(first).subspan(static_cast<std::size_t>(36 * i), 36)));
    CHECK(label.item() == i % 5);
  }
  // The next epoch, in the same order, is another.
  const std::vector<float> second = epoch_of(in_order);
  CHECK(second != first);
  CHECK(std::ranges::equal(std::get<0>(dataset.get(39, {.seed = 5, .number = 2})).values<float>(),
                           std::span(second).last(36)));
  data::Loader other(augmented(40), {.batch_size = 40, .seed = 6});
  CHECK(epoch_of(other) != first);
}

TEST_CASE("augmented: goes on exactly in the midst of an epoch") {
  const data::LoaderOptions options{.batch_size = 8, .shuffle = true, .workers = 2};
  manual_seed(4);
  data::Loader run(augmented(40), options);
  epoch_of(run);
  std::vector<float> rest;
  data::LoaderState state;
  int batch = 0;
  for (const auto& [inputs, labels] : run) {
    if (++batch > 2) rest.insert(rest.end(), inputs.values<float>().begin(), inputs.values<float>().end());
    if (batch == 2) state = run.state();
  }
  manual_seed(99);
  data::Loader resumed(augmented(40), options);
  resumed.restore(state);
  CHECK(epoch_of(resumed) == rest);
}

TEST_CASE("augmented: pads with the data set's black, draws anew inside itself, takes functions of the user's") {
  const data::ImageDataset dataset = images(1);
  CHECK(dataset.black() == (0.0f - 0.3f) / 0.5f);
  const data::Augmented far(dataset, {data::RandomCrop{.size = 40, .padding = 40}});
  const auto [image, label] = far.get(0, {.seed = 1});
  CHECK(std::ranges::count(image.values<float>(), dataset.black()) >= 1600 - 36);

  const data::Transform count = [](Tensor x, data::Draw& draw) {
    x.fill(static_cast<float>(draw.uniform()));
    return x;
  };
  const data::Transform add = [](Tensor x, data::Draw& draw) {
    for (float& value : x.mutable_values<float>()) value -= static_cast<float>(draw.uniform());
    return x;
  };
  const data::Augmented nested(data::Augmented(dataset, {count}), {add});
  CHECK(std::get<0>(nested.get(0, {.seed = 1})).values<float>()[0] != 0.0f);
}

TEST_CASE("augmented: the training thread allocates nothing") {
  for (const int workers : {0, 2}) {
    data::Loader loader(augmented(64), {.batch_size = 16, .shuffle = true, .workers = workers, .seed = 1});
    epoch_of(loader);
    const std::int64_t before = allocations();
    for (const auto& [inputs, labels] : loader) CHECK(inputs.size(0) == 16);
    CHECK(allocations() == before);
  }
}

TEST_CASE("mixup: inputs and labels by the same share") {
  Tensor inputs = empty({6, 1});
  for (std::int64_t i = 0; i < 6; ++i) inputs.mutable_data<float>()[i] = static_cast<float>(1 << i);
  const data::TensorDataset dataset(inputs, indices({0, 1, 2, 3, 4, 5}));
  const data::Mixup mixup(dataset, {.alpha = 0.4, .classes = 6});
  std::set<std::int64_t> partners;
  for (std::int64_t number = 1; number <= 20; ++number) {
    for (std::int64_t i = 0; i < 6; ++i) {
      const auto [input, label] = mixup.get(i, {.seed = 1, .number = number});
      CHECK(label.shape() == Shape{6});
      // The input of class k is 2^k: the mixture says who took part, and how much.
      double total = 0, expected = 0;
      for (std::int64_t k = 0; k < 6; ++k) {
        const float p = label.values<float>()[static_cast<std::size_t>(k)];
        if (p > 0 && k != i) partners.insert(k);
        total += p;
        expected += p * static_cast<double>(1 << k);
      }
      CHECK(total == doctest::Approx(1).epsilon(1e-6));
      CHECK(input.values<float>()[0] == doctest::Approx(expected).epsilon(1e-5));
    }
  }
  CHECK(partners.size() == 6);
}

TEST_CASE("mixup: shares are of the Beta distribution") {
  for (const double alpha : {0.05, 0.2, 1.0, 4.0}) {
    CAPTURE(alpha);
    double sum = 0, squares = 0;
    const int count = 40000;
    for (int i = 0; i < count; ++i) {
      const double share = data::detail::draw_mix({.seed = 9}, i, 10, alpha).share;
      REQUIRE(share >= 0);
      REQUIRE(share <= 1);
      sum += share;
      squares += (share - 0.5) * (share - 0.5);
    }
    const double variance = 1 / (4 * (2 * alpha + 1));
    CHECK(std::abs(sum / count - 0.5) < 0.01);
    CHECK(squares / count == doctest::Approx(variance).epsilon(0.02));
  }
  CHECK(std::isfinite(data::detail::draw_mix({.seed = 9}, 0, 10, 1e-300).share));
}

TEST_CASE("mixup: independent of workers, over transforms too; arguments are checked") {
  const auto made = [] { return data::Mixup(augmented(30), {.classes = 5}); };
  data::Loader plain(made(), {.batch_size = 7, .shuffle = true, .workers = 0, .seed = 3});
  data::Loader threaded(made(), {.batch_size = 7, .shuffle = true, .workers = 3, .seed = 3});
  CHECK(epoch_of(plain) == epoch_of(threaded));
  CHECK_THROWS_WITH_AS(data::Mixup(images(3), {.alpha = 0.0, .classes = 5}), "Mixup: alpha 0, expected above 0",
                       ValueError);
  CHECK_THROWS_WITH_AS(data::Mixup(images(3), {}), "Mixup: 0 classes, expected at least 1", ValueError);
  const data::Mixup few(images(5), {.classes = 2});
  CHECK_THROWS_WITH_AS(few.get(4, {}), "Mixup: label 4, expected 0 to 1", ValueError);
}
