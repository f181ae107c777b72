#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <temper/io/onnx.hpp>
#include <temper/temper.hpp>

#include "tests/data/files.hpp"

using namespace temper;

namespace {

/// A field of a message of Protocol Buffers: a number, or bytes.
struct Field {
  int number;
  std::uint64_t integer;
  std::string_view bytes;
};

std::vector<Field> fields_of(std::string_view message) {
  std::vector<Field> fields;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at(at++));
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.size()) {
    const std::uint64_t tag = varint();
    Field field{static_cast<int>(tag >> 3), 0, {}};
    if ((tag & 7) == 0) {
      field.integer = varint();
    } else if ((tag & 7) == 5) {
      field.bytes = message.substr(at, 4);
      at += 4;
    } else {
      REQUIRE((tag & 7) == 2);
      const std::size_t length = varint();
      REQUIRE(length <= message.size() - at);
      field.bytes = message.substr(at, length);
      at += length;
    }
    fields.push_back(field);
  }
  return fields;
}

/// All fields of a number, of a message at the end of a path of numbers.
std::vector<Field> find(std::string_view message, std::vector<int> path) {
  std::vector<Field> found;
  for (const Field& field : fields_of(message)) {
    if (field.number != path.front()) continue;
    if (path.size() == 1) {
      found.push_back(field);
    } else {
      for (const Field& inner : find(field.bytes, {path.begin() + 1, path.end()})) found.push_back(inner);
    }
  }
  return found;
}

std::vector<std::string> texts(std::string_view message, const std::vector<int>& path) {
  std::vector<std::string> all;
  for (const Field& field : find(message, path)) all.emplace_back(field.bytes);
  return all;
}

// Fields of onnx.proto.
constexpr int graph = 7, node = 1, initializer = 5, input = 11, output = 12;

using Given = std::vector<Tensor>;

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "none";
}

/// The error about a program of one tensor x [2, 3].
template <class Program>
std::string refusal(Program program) {
  const temper_test::Folder folder;
  const std::string error = error_of([&] {
    export_onnx(folder / "x.onnx", Tensors{}, {{"x", from({1, 2, 3, 4, 5, 6}, {2, 3})}},
                [&](const Given& in) { return Given{program(in[0])}; });
  });
  CHECK(!std::filesystem::exists(folder / "x.onnx"));
  return error;
}

}  // namespace

TEST_CASE("a model in ONNX format has its nodes, its tensors under their names, and any number of examples") {
  const temper_test::Folder folder;
  const nn::Sequential model(nn::Linear(3, 4), nn::ReLU(), nn::Dropout(0.5), nn::Linear(4, 2));
  Tape tape;  // of which an export takes no notice
  export_onnx(folder / "net.onnx", model, from({1, 2, 3, 4, 5, 6}, {2, 3}));
  CHECK(tape.size() == 0);
  const std::string bytes = temper_test::Folder::read(folder / "net.onnx");
  CHECK(find(bytes, {1}).at(0).integer == 8);
  CHECK(find(bytes, {8, 2}).at(0).integer == 17);
  CHECK(texts(bytes, {graph, node, 4}) == std::vector<std::string>{"Gemm", "Relu", "Gemm", "Identity"});
  CHECK(texts(bytes, {graph, initializer, 8}) == std::vector<std::string>{"0.weight", "0.bias", "3.weight", "3.bias"});
  const auto weight = texts(bytes, {graph, initializer, 9}).at(0);
  const Tensor expected = model.parameters()[0].value();
  REQUIRE(weight.size() == 48);
  CHECK(std::memcmp(weight.data(), expected.data<float>(), 48) == 0);
  for (const auto& [port, name, size] : {std::tuple(input, "input", 3), {output, "output", 2}}) {
    CHECK(texts(bytes, {graph, port, 1}) == std::vector<std::string>{name});
    CHECK(texts(bytes, {graph, port, 2, 1, 2, 1, 2}) == std::vector<std::string>{"batch"});
    CHECK(find(bytes, {graph, port, 2, 1, 2, 1, 1}).at(0).integer == static_cast<std::uint64_t>(size));
  }
}

TEST_CASE("inputs that are not batched keep their sizes, and nothing else is written than what outputs need") {
  const temper_test::Folder folder;
  export_onnx(folder / "sum.onnx", Tensors{}, {{"a", ones({2, 3}), false}, {"b", ones({3}), false}},
              [](const Given& in) {
                static_cast<void>(exp(in[0]));
                return Given{in[0] + in[1], in[0]};
              },
              {.outputs = {"sum", "same"}});
  const std::string bytes = temper_test::Folder::read(folder / "sum.onnx");
  CHECK(texts(bytes, {graph, node, 4}) == std::vector<std::string>{"Add", "Identity", "Identity"});
  CHECK(texts(bytes, {graph, output, 1}) == std::vector<std::string>{"sum", "same"});
  CHECK(texts(bytes, {graph, input, 2, 1, 2, 1, 2}).empty());
}

TEST_CASE("a large model has its tensors in a file beside it") {
  const temper_test::Folder folder;
  const nn::Linear model(100, 30);
  export_onnx(folder / "net.onnx", model, ones({2, 100}), {.max_bytes = 5000});
  const std::string bytes = temper_test::Folder::read(folder / "net.onnx"),
                    data = temper_test::Folder::read(folder / "net.onnx.data");
  CHECK(bytes.size() < 5000);
  REQUIRE(data.size() == 12000);
  CHECK(std::memcmp(data.data(), model.weight.value().data<float>(), 12000) == 0);
  CHECK(texts(bytes, {graph, initializer, 13, 2}) == std::vector<std::string>{"net.onnx.data", "0", "12000"});
  CHECK(texts(bytes, {graph, initializer, 9}).size() == 1);  // the bias, which is small
}

TEST_CASE("what cannot be exported is refused by name, and no file is written") {
  const auto own = [](const Tensor& x) {
    return record("own", x.clone(), {x}, [](const Tensor& dy, Gradients& gradients) { gradients.give(0, dy); });
  };
  CHECK(refusal([&](const Tensor& x) { return own(x) + 1; }) == "export_onnx: own has no counterpart in ONNX");
  CHECK(refusal([](const Tensor& x) { return mse_loss(x, x); }) == "export_onnx: mse_loss has no counterpart in ONNX");
  CHECK(
      refusal([](const Tensor& x) {
        Tensor y = empty(x.shape());
        std::ranges::transform(x.values<float>(), y.mutable_data<float>(), [](float value) { return value + 1; });
        return y * 2;
      }) ==
      "export_onnx: mul uses a tensor f32 [2, 3] that depends on the inputs and that no operation computed: a program "
      "must not read or write the elements of such tensors itself");
  CHECK(refusal([](const Tensor& x) {
          Tensor y = x.clone();
          y.mutable_data<float>()[0] = 0;
          return y * 2;
        }) == "export_onnx: clone gave a tensor [2, 3] that was changed in place afterwards");
  CHECK(refusal([](Tensor x) {
          x.fill(0);
          return x * 2;
        }) == "export_onnx: input x was changed in place by the program");
  CHECK(refusal([](const Tensor& x) { return x.size(0) > 2 ? exp(x) : log(x); }) ==
        "export_onnx: operation 0 is log for 2 examples, and exp for one more, expected the same");
  CHECK(refusal([](const Tensor& x) { return tile(x, {x.size(0), 1}); }).starts_with("export_onnx: index_select uses"));
  CHECK(refusal([](const Tensor& x) {
          return reshape(expand(unsqueeze(x, 0), {x.size(0), x.size(0), 3}), {x.size(0) * x.size(0), 3});
        }) ==
        "export_onnx: reshape has a tensor [4, 3] for 2 examples, and [9, 3] for one more, expected an even growth");
  CHECK(refusal([](const Tensor& x) { return softmax(x, x.size(0) > 2 ? 0 : 1); }) ==
        "export_onnx: softmax has a number that varies with the number of examples where ONNX has a fixed one");
}

TEST_CASE("inputs of an export are checked") {
  const auto error = [](const std::vector<OnnxInput>& inputs, const OnnxOptions& options = {}) {
    const temper_test::Folder folder;
    return error_of([&] {
      export_onnx(
          folder / "x.onnx", Tensors{}, inputs, [](const Given& in) { return Given{in[0]}; }, options);
    });
  };
  CHECK(error({{"x", Tensor()}}) == "export_onnx: input x is an undefined tensor");
  CHECK(error({{"x", ones({0, 2})}}) == "export_onnx: input x [0, 2], expected [N, ...] with N from 1 on");
  CHECK(error({{"x", ones({2})}, {"y", ones({3})}}) == "export_onnx: input y [3] has 3 examples, expected 2");
  CHECK(error({{"x", ones({2})}}, {.outputs = {"a", "b"}}) ==
        "export_onnx: the program gives 1 outputs, for one example more 1; 2 names");
}

TEST_CASE("inputs, outputs and the model's tensors have names of their own") {
  const auto error = [](const std::vector<OnnxInput>& inputs, const OnnxOptions& options = {}) {
    const temper_test::Folder folder;
    const nn::Linear model(3, 3);
    return error_of([&] {
      export_onnx(
          folder / "x.onnx", model, inputs,
          [&](const Given& in) {
            return Given{model(in[0]), in[0]};
          },
          options);
    });
  };
  const Tensor x = ones({2, 3});
  CHECK(error({{"x", x}}) == "none");
  CHECK(error({{"x", x}, {"x", x}}) == "export_onnx: input 'x' needs a name of its own");
  CHECK(error({{"", x}}) == "export_onnx: input '' needs a name of its own");
  CHECK(error({{"weight", x}}) == "export_onnx: input 'weight' needs a name of its own");
  CHECK(error({{"output_1", x}}) == "export_onnx: output 'output_1' needs a name of its own");
  CHECK(error({{"x", x}}, {.outputs = {"y", "y"}}) == "export_onnx: output 'y' needs a name of its own");
  CHECK(error({{"x", x}}, {.outputs = {"y", "bias"}}) == "export_onnx: output 'bias' needs a name of its own");
  CHECK(error({{"Gemm_1", x}}, {.outputs = {"Gemm_2", "constant_1"}}) == "none");  // nodes are called otherwise then
}
