// Runs ONNX's backend tests, as convert.py wrote them, with Temper's operations, and counts.
//
//     onnx_cases FOLDER [--list] [--at-least N] [PART OF A NAME]
//
// The bar is ONNX's own: an error of 1e-7 + 1e-3 |expected|; whole numbers and truth values are equal. Exits with 1
// when a case fails that is not known to, or fewer than N pass.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <optional>

#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

#include "tests/onnx/node.hpp"

namespace temper::onnx {

Ints Node::list(const std::string& name, std::size_t input, const Ints& otherwise) const {
  return has(input) ? ints(in(input)) : get(name, otherwise);
}

Ints ints(const Tensor& x) {
  const Tensor whole = to(x, Dtype::i64);
  return {whole.values<std::int64_t>().begin(), whole.values<std::int64_t>().end()};
}

double number(const Tensor& x) { return x.dtype() == Dtype::f32 ? x.item() : static_cast<double>(ints(x).at(0)); }

int axis_of(std::int64_t axis, int rank) { return static_cast<int>(axis < 0 ? axis + rank : axis); }
Axes axes_of(const Ints& axes) { return Axes(std::span<const std::int64_t>(axes)); }
Shape shape_of(const Ints& sizes) { return Shape(std::span<const std::int64_t>(sizes)); }
Ints sizes_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

Tensor channels_last(const Tensor& x) {
  Ints order(static_cast<std::size_t>(x.rank()));
  std::iota(order.begin(), order.end(), 0);
  if (x.rank() > 2) std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return permute(x, axes_of(order));
}

Tensor channels_first(const Tensor& x) {
  Ints order(static_cast<std::size_t>(x.rank()));
  std::iota(order.begin(), order.end(), 0);
  if (x.rank() > 2) std::rotate(order.begin() + 1, order.end() - 1, order.end());
  return permute(x, axes_of(order));
}

namespace {

/// Failures of which the reason lies outside of Temper.
const std::map<std::string, std::string>& known_failures() {
  const char* const variance = "ONNX keeps the biased variance, Temper and PyTorch the unbiased one";
  const char* const cut =
      "ONNX's data are floats whose lower half was cut off, Temper and PyTorch round to the nearest";
  static const std::map<std::string, std::string> known = {
      {"node/test_adam_multiple", "ONNX's data were computed with an epsilon of 0.01, which the file lacks"},
      {"node/test_batchnorm_epsilon_training_mode", variance},
      {"node/test_batchnorm_example_training_mode", variance},
      {"node/test_cast_FLOAT_to_BFLOAT16", cut},
      {"node/test_castlike_FLOAT_to_BFLOAT16", cut},
      {"node/test_castlike_FLOAT_to_BFLOAT16_expanded", cut}};
  return known;
}

Operators operators() {
  Operators all;
  add_elementwise(all);
  add_arrangements(all);
  add_reductions(all);
  add_images(all);
  add_networks(all);
  return all;
}

/// What differs, "" for nothing.
std::string difference(const Tensor& got, const Tensor& expected) {
  if (!(got.shape() == expected.shape())) {
    return fmt::format("has shape {}, expected {}", to_string(got.shape()), to_string(expected.shape()));
  }
  const auto as_double = [](const Tensor& x, std::int64_t i) {
    return x.dtype() == Dtype::f32   ? static_cast<double>(x.data<float>()[i])
           : x.dtype() == Dtype::i64 ? static_cast<double>(x.data<std::int64_t>()[i])
                                     : static_cast<double>(x.data<bool>()[i]);
  };
  if (got.dtype() != expected.dtype()) {
    return fmt::format("is {}, expected {}", to_string(got.dtype()), to_string(expected.dtype()));
  }
  const double relative = got.dtype() == Dtype::f32 ? 1e-3 : 0, absolute = got.dtype() == Dtype::f32 ? 1e-7 : 0;
  for (std::int64_t i = 0; i < got.numel(); ++i) {
    const double a = as_double(got, i), b = as_double(expected, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (!(std::abs(a - b) <= absolute + relative * std::abs(b))) {
      return fmt::format("element {} is {:.9g}, expected {:.9g}", i, a, b);
    }
  }
  return "";
}

/// Runs a case and compares; what differs, "" for nothing. Throws: Missing.
std::string run(const nlohmann::json& given, const TensorFile& file, const Operators& table) {
  std::map<std::string, Tensor> values;
  std::map<std::string, std::string> dtypes;
  std::optional<Tape> tape;
  const auto text = [](const nlohmann::json& entry) { return entry.get<std::string>(); };
  for (const auto& [name, key] : given["initial"].items()) values[name] = file.tensors.at(text(key));
  for (const auto& input : given["inputs"]) {
    values[text(input["name"])] = file.tensors.at(text(input["tensor"]));
    dtypes[text(input["name"])] = text(input["dtype"]);
  }
  const bool differentiated =
      std::ranges::any_of(given["nodes"], [](const nlohmann::json& node) { return node["op"] == "Gradient"; });
  if (differentiated) {
    tape.emplace(Mode::evaluate);
    for (const auto& [name, value] : values) tape->watch(value);
  }
  const nlohmann::json& opsets = given["opset"];
  for (const auto& entry : given["nodes"]) {
    Node node;
    node.op = text(entry["op"]);
    node.attributes = entry["attributes"];
    node.outputs = entry["outputs"].get<std::vector<std::string>>();
    node.file = &file;
    node.opset = opsets.value(text(entry["domain"]), opsets.value("", 1));
    Tensors results;
    if (node.op == "Gradient") {
      Tensors xs;
      for (const nlohmann::json& name : node.attributes["xs"]) xs.push_back(values.at(text(name)));
      results = tape->gradients(sum(values.at(text(node.attributes["y"]))), xs);
    } else {
      for (const nlohmann::json& each : entry["inputs"]) {
        const std::string name = text(each);
        node.input_names.push_back(name);
        node.inputs.push_back(name.empty() ? Tensor() : values.at(name));
        node.dtypes.push_back(dtypes[name]);
      }
      const auto found = table.find(node.op);
      if (found == table.end()) throw Missing("no operation for " + node.op);
      results = found->second(node);
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.wants(i)) values[node.outputs[i]] = results.at(i);
    }
  }
  for (const auto& output : given["outputs"]) {
    const std::string name = text(output["name"]);
    const std::string wrong = difference(values.at(name), file.tensors.at(text(output["tensor"])));
    if (!wrong.empty()) return name + " " + wrong;
  }
  return "";
}

/// Whether a file's elements are all of a type that Temper has.
bool as_stored(const nlohmann::json& given) {
  const auto same = [](const nlohmann::json& entry) {
    return entry["dtype"] == "float" || entry["dtype"] == "int64" || entry["dtype"] == "bool";
  };
  return std::ranges::all_of(given["inputs"], same) && std::ranges::all_of(given["outputs"], same);
}

struct Options {
  std::string folder, part;
  bool list = false;
  int at_least = 0;
};

int run_all(const Options& options) {
  const nlohmann::json cases = nlohmann::json::parse(std::ifstream(options.folder + "/cases.json"));
  const TensorFile file = load_tensors(options.folder + "/cases.safetensors");
  const Operators table = operators();
  std::map<std::string, int> reasons;
  int passed = 0, wider = 0, known = 0, failed = 0, missing = 0;
  for (const auto& [name, given] : cases.items()) {
    if (name.find(options.part) == std::string::npos) continue;
    std::string result, reason = given.value("unsupported", "");
    if (reason.empty()) {
      try {
        result = run(given, file, table);
      } catch (const Missing& why) {
        reason = why.what();
      } catch (const std::exception& error) {
        result = std::string("threw ") + error.what();
      }
    }
    if (!reason.empty()) {
      ++missing;
      ++reasons[reason];
      if (options.list) fmt::print("not expressible {}: {}\n", name, reason);
    } else if (result.empty()) {
      ++passed;
      wider += as_stored(given) ? 0 : 1;
      if (options.list) fmt::print("passed {}\n", name);
    } else if (const auto why = known_failures().find(name); why != known_failures().end()) {
      ++known;
      fmt::print("known to fail {}: {}; {}\n", name, result, why->second);
    } else {
      ++failed;
      fmt::print("FAILED {}: {}\n", name, result);
    }
  }
  for (const auto& [reason, count] : reasons) fmt::print("{:5} not expressible: {}\n", count, reason);
  fmt::print(
      "{} passed ({} of them with doubles, halves or smaller integers, computed in f32 and i64), {} failed, {} known "
      "to "
      "fail, {} not expressible, of {}\n",
      passed, wider, failed, known, missing, passed + failed + known + missing);
  return failed > 0 || passed < options.at_least ? 1 : 0;
}

}  // namespace

}  // namespace temper::onnx

int main(int count, char** arguments) {
  temper::onnx::Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--list") {
      options.list = true;
    } else if (argument == "--at-least" && i + 1 < count) {
      options.at_least = std::stoi(arguments[++i]);
    } else {
      (options.folder.empty() ? options.folder : options.part) = argument;
    }
  }
  if (options.folder.empty()) {
    fmt::print(stderr, "usage: onnx_cases FOLDER [--list] [--at-least N] [PART OF A NAME]\n");
    return 2;
  }
  return temper::onnx::run_all(options);
}
