#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/core/errors.hpp>
#include <temper/io/save.hpp>
#include <temper/nn/layers.hpp>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::Folder;

namespace {

struct Layer {
  Parameter weight, bias;

  explicit Layer(float value) : weight(full({2, 3}, value), Role::weight), bias(full({2}, value), Role::bias) {}
  std::vector<Parameter> parameters() const { return {weight.named("fc.weight"), bias.named("fc.bias")}; }
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

struct Norm : Layer {
  Tensor mean, count = zeros({}, Dtype::i64);

  explicit Norm(float value) : Layer(value), mean(full({2}, -value)) {}
  std::vector<NamedTensor> buffers() const { return {{"norm.mean", mean}, {"norm.count", count}}; }
};

}  // namespace

static_assert(Savable<Layer> && Savable<Norm> && !Savable<Tensor>);

TEST_CASE("save and load: parameters and buffers, in place") {
  const Folder folder;
  Norm model(1.5f), other(0.0f);
  *model.count.mutable_data<std::int64_t>() = 7;
  const Tensor handle = other.weight.value();
  const std::uint32_t version = handle.version();
  save(folder / "net.safetensors", model, {{"epoch", "3"}});
  load(folder / "net.safetensors", other);
  CHECK(handle.values<float>()[5] == 1.5f);
  CHECK(handle.version() > version);  // a tape that saved the tensor detects the change
  CHECK(other.bias.value().values<float>()[1] == 1.5f);
  CHECK(other.mean.values<float>()[0] == -1.5f);
  CHECK(other.count.item() == 7);
  CHECK(load_tensors(folder / "net.safetensors").metadata.at("epoch") == "3");
}

TEST_CASE("load: one error lists everything that does not fit, and nothing changes") {
  const Folder folder;
  const auto path = folder / "net.safetensors";
  save_tensors(path, {{"fc.weight", zeros({3, 2})},
                      {"norm.mean", zeros({2})},
                      {"norm.count", zeros({})},
                      {"head", zeros({4}, Dtype::i64)}});
  Norm model(1.0f);
  CHECK_THROWS_WITH_AS(load(path, model),
                       (path.native() + ": does not fit the model, nothing was loaded:"
                                        "\n  missing: fc.bias f32 [2]"
                                        "\n  different: fc.weight is f32 [3, 2], the model expects f32 [2, 3]"
                                        "\n  different: norm.count is f32 [], the model expects i64 []"
                                        "\n  not expected: head i64 [4]")
                           .c_str(),
                       FileError);
  CHECK(model.mean.values<float>()[0] == -1.0f);
  CHECK(model.weight.value().values<float>()[0] == 1.0f);
}

TEST_CASE("load: a damaged file changes nothing") {
  const Folder folder;
  save(folder / "a", Norm(2.0f));
  std::string bytes = Folder::read(folder / "a");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  folder.write("a", bytes);
  Norm model(1.0f);
  CHECK_THROWS_AS(load(folder / "a", model), FileError);
  CHECK(model.mean.values<float>()[0] == -1.0f);
  CHECK(model.weight.value().values<float>()[0] == 1.0f);
}

TEST_CASE("state_dict: shares memory with the model; load_state_dict goes back") {
  Layer model(1.0f);
  Tensors state = state_dict(model);
  CHECK(state.size() == 2);
  state.at("fc.bias").fill(4.0f);
  CHECK(model.bias.value().values<float>()[0] == 4.0f);
  Layer other(0.0f);
  load_state_dict(other, state);
  CHECK(other.bias.value().values<float>()[0] == 4.0f);
  state.erase("fc.bias");
  CHECK_THROWS_WITH_AS(load_state_dict(other, state),
                       "load_state_dict: does not fit the model, nothing was loaded:\n  missing: fc.bias f32 [2]",
                       FileError);
}

TEST_CASE("load: floats become the model's dtype, as PyTorch's copy_ does") {
  const Folder folder;
  Layer narrow(1.5f);
  nn::Linear wide(3, 2), half(3, 2);
  nn::to_bf16(half);
  save(folder / "half", half);
  load(folder / "half", wide);
  CHECK(wide.weight.value().dtype() == Dtype::f32);
  save(folder / "wide", wide);
  load(folder / "wide", half);
  CHECK(half.weight.value().dtype() == Dtype::bf16);
  CHECK(std::ranges::equal(half.weight.value().values<BFloat16>(),
                           load_tensors(folder / "half").tensors.at("weight").values<BFloat16>(),
                           [](BFloat16 a, BFloat16 b) { return a.bits == b.bits; }));
}

TEST_CASE("load: PyTorch's counters of batches are ignored") {
  const Folder folder;
  save_tensors(folder / "a", {{"fc.weight", ones({2, 3})},
                              {"fc.bias", ones({2})},
                              {"norm.mean", ones({2})},
                              {"norm.count", zeros({}, Dtype::i64)},
                              {"norm.num_batches_tracked", zeros({}, Dtype::i64)}});
  Norm model(0.0f);
  load(folder / "a", model);
  CHECK(model.mean.values<float>()[0] == 1.0f);
}

TEST_CASE("load: if all names differ by a prefix, the error is one line that says how to load them") {
  const Folder folder;
  Layer model(0.0f);
  save_tensors(folder / "a", {{"module.fc.weight", ones({2, 3})}, {"module.fc.bias", ones({2})}});
  CHECK_THROWS_WITH_AS(load(folder / "a", model),
                       ((folder / "a").native() +
                        ": does not fit the model, nothing was loaded:\n  2 names begin with 'module.', the model's do "
                        "not; set .rename = {{\"module.*\", \"*\"}}")
                           .c_str(),
                       FileError);
  load(folder / "a", model, {.rename = {{"module.*", "*"}}});
  CHECK(model.weight.value().values<float>()[0] == 1.0f);
  save_tensors(folder / "b", {{"weight", zeros({2, 3})}, {"bias", zeros({2})}});
  CHECK_THROWS_WITH_AS(load(folder / "b", model),
                       doctest::Contains("2 of the model's names begin with 'fc.', these do not; set .rename = "
                                         "{{\"*\", \"fc.*\"}}"),
                       FileError);
  load(folder / "b", model, {.rename = {{"*", "fc.*"}}});
  CHECK(model.weight.value().values<float>()[0] == 0.0f);
  save_tensors(folder / "c",
               {{"module.fc.weight", ones({7, 3})}, {"module.fc.bias", ones({7})}, {"module.head", ones({1})}});
  CHECK_THROWS_WITH_AS(load(folder / "c", model), doctest::Contains(":\n  3 names begin with 'module.'"), FileError);
  save_tensors(folder / "d", {{"module.fc.weight", ones({2, 3})}, {"fc.bias", ones({2})}, {"other", ones({1})}});
  CHECK_THROWS_WITH_AS(load(folder / "d", model),
                       doctest::Contains(":\n  missing: fc.weight f32 [2, 3]\n  not expected: module.fc.weight"),
                       FileError);
}

TEST_CASE("load: part of a file into part of a model, by pattern") {
  const Folder folder;
  Norm model(0.0f);
  save_tensors(folder / "a", {{"fc.weight", ones({2, 3})}, {"fc.bias", ones({7})}, {"head.weight", ones({1})}});
  CHECK_THROWS_WITH_AS(load(folder / "a", model, {.skip = {"head.*"}, .allow_missing = {"norm.*"}}),
                       doctest::Contains("different: fc.bias is f32 [7]"), FileError);
  CHECK(model.weight.value().values<float>()[0] == 0.0f);
  load(folder / "a", model, {.skip = {"head.*", "fc.bias"}, .allow_missing = {"norm.*", "fc.b?as"}});
  CHECK(model.weight.value().values<float>()[0] == 1.0f);
  CHECK(model.bias.value().values<float>()[0] == 0.0f);
  CHECK_THROWS_WITH_AS(load(folder / "a", model, {.rename = {{"*.*", "*"}}}),
                       "rename: '*.*' to '*', expected one * on each side, or none", ValueError);
  CHECK_THROWS_WITH_AS(load(folder / "a", model, {.rename = {{"*", "same"}}}),
                       doctest::Contains("two tensors are renamed to 'same'"), FileError);
}

TEST_CASE("load: one of several files says so") {
  const Folder folder;
  Layer model(0.0f);
  save_tensors(folder / "model-00001-of-00002.safetensors", {{"fc.weight", ones({2, 3})}});
  CHECK_THROWS_WITH_AS(load(folder / "model-00001-of-00002.safetensors", model),
                       doctest::Contains("\n  this is one file of several: load the .index.json beside it"), FileError);
}

TEST_CASE("save: two tensors of one name are refused") {
  struct Twice : Layer {
    std::vector<Parameter> parameters() const { return {weight.named("w"), bias.named("w")}; }
  };
  const Folder folder;
  CHECK_THROWS_WITH_AS(save(folder / "a", Twice{Layer(1.0f)}), "two tensors of the model are called 'w'", ValueError);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("save and load: a module, under PyTorch's names") {
  const Folder folder;
  const auto made = [] { return nn::Sequential(nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 2)); };
  nn::Sequential model = made(), other = made();
  save(folder / "mlp.safetensors", model);
  const Tensors stored = load_tensors(folder / "mlp.safetensors").tensors;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : stored) names.push_back(name);
  CHECK(names == std::vector<std::string>{"0.bias", "0.weight", "2.bias", "2.weight"});
  load(folder / "mlp.safetensors", other);
  const Tensors a = state_dict(model), b = state_dict(other);
  for (const auto& [name, tensor] : a) {
    CHECK(std::ranges::equal(tensor.values<float>(), b.at(name).values<float>()));
    CHECK(!tensor.same(b.at(name)));
  }
}
