#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/core/errors.hpp>
#include <temper/io/save.hpp>

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
  CHECK(handle.version() > version);  // a tape that saved it must notice
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

TEST_CASE("save: two tensors of one name are refused") {
  struct Twice : Layer {
    std::vector<Parameter> parameters() const { return {weight.named("w"), bias.named("w")}; }
  };
  const Folder folder;
  CHECK_THROWS_WITH_AS(save(folder / "a", Twice{Layer(1.0f)}), "two tensors of the model are called 'w'", ValueError);
  CHECK(std::filesystem::is_empty(folder.path()));
}
