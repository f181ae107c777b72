// An undefined tensor is refused by name, as every argument of every operation.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <temper/temper.hpp>

#include "tests/misuse/undefined.hpp"

namespace temper::test {

namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

Operation unary(std::string name, Unary f) {
  return {std::move(name), {"input"}, {ones({2, 3})}, [f](const Arguments& x) { f(x[0]); }};
}

Operation binary(std::string name, Binary f, std::string a = "a", std::string b = "b") {
  return {std::move(name), {std::move(a), std::move(b)}, {ones({2, 3}), ones({2, 3})}, [f](const Arguments& x) {
            f(x[0], x[1]);
          }};
}

Operation whole_binary(std::string name, Binary f) {
  return {std::move(name), {"a", "b"}, {indices({1, 2}), indices({3, 4})}, [f](const Arguments& x) { f(x[0], x[1]); }};
}

Operation loss(std::string name, std::function<void(const Arguments&)> call) {
  return {std::move(name), {"input", "target"}, {ones({2, 3}), ones({2, 3})}, std::move(call)};
}

Operation image(std::string name, std::function<void(const Arguments&)> call) {
  return {std::move(name), {"input"}, {ones({1, 4, 4, 2})}, std::move(call)};
}

Operation linear_like(std::string name, std::function<void(const Arguments&)> call) {
  return {std::move(name), {"input", "weight"}, {ones({2, 3}), ones({4, 3})}, std::move(call)};
}

std::vector<Operation> operations() {
  const Tensor truth = greater(ones({2, 3}), zeros({2, 3})), channels = ones({2});
  std::vector<Operation> all = {
      binary("add", add),
      binary("sub", sub),
      binary("mul", mul),
      binary("div", div),
      binary("maximum", maximum),
      binary("minimum", minimum),
      binary("pow", pow, "base", "exponent"),
      binary("atan2", temper::atan2, "y", "x"),
      binary("logaddexp", logaddexp),
      whole_binary("bitwise_and", bitwise_and),
      whole_binary("bitwise_or", bitwise_or),
      whole_binary("bitwise_xor", bitwise_xor),
      whole_binary("bitwise_left_shift", bitwise_left_shift),
      whole_binary("bitwise_right_shift", bitwise_right_shift),
      {"bitwise_not", {"input"}, {indices({1, 2})}, [](const Arguments& x) { bitwise_not(x[0]); }},
      binary("equal", equal),
      binary("not_equal", not_equal),
      binary("less", less),
      binary("less_equal", less_equal),
      binary("greater", greater),
      binary("greater_equal", greater_equal),
      unary("neg", neg),
      unary("exp", exp),
      unary("log", log),
      unary("sqrt", sqrt),
      unary("abs", abs),
      unary("relu", relu),
      unary("silu", silu),
      unary("sigmoid", sigmoid),
      unary("tanh", tanh),
      unary("softplus", softplus),
      {"pow", {"base"}, {ones({2})}, [](const Arguments& x) { pow(x[0], 2.0); }},
      {"clamp", {"input"}, {ones({2})}, [](const Arguments& x) { clamp(x[0], 0.0f, 1.0f); }},
      {"add", {"input"}, {ones({2})}, [](const Arguments& x) { 1.0f + x[0]; }},
      {"sub", {"input"}, {ones({2})}, [](const Arguments& x) { 1.0f - x[0]; }},
      {"mul", {"input"}, {ones({2})}, [](const Arguments& x) { 2.0f * x[0]; }},
      {"div", {"input"}, {ones({2})}, [](const Arguments& x) { x[0] / 2.0f; }},
      {"div", {"input"}, {ones({2})}, [](const Arguments& x) { 2.0f / x[0]; }},
      {"where",
       {"condition", "a", "b"},
       {truth, ones({2, 3}), ones({2, 3})},
       [](const Arguments& x) { where(x[0], x[1], x[2]); }},
      {"leaky_relu", {"input"}, {ones({2})}, [](const Arguments& x) { leaky_relu(x[0]); }},
      {"gelu", {"input"}, {ones({2})}, [](const Arguments& x) { gelu(x[0]); }},
      {"softmax", {"input"}, {ones({2})}, [](const Arguments& x) { softmax(x[0]); }},
      {"log_softmax", {"input"}, {ones({2})}, [](const Arguments& x) { log_softmax(x[0]); }},
      {"dropout", {"input"}, {ones({2})}, [](const Arguments& x) { dropout(x[0], 0.5); }},
      {"to", {"input"}, {ones({2})}, [](const Arguments& x) { to(x[0], Dtype::f32); }},
      {"stop_gradient", {"input"}, {ones({2})}, [](const Arguments& x) { stop_gradient(x[0]); }},
      {"matmul", {"a", "b"}, {ones({2, 3}), ones({3, 4})}, [](const Arguments& x) { matmul(x[0], x[1]); }},
      linear_like("linear", [](const Arguments& x) { linear(x[0], x[1]); }),
      linear_like("linear_relu", [](const Arguments& x) { linear_relu(x[0], x[1]); }),
      linear_like("linear_gelu", [](const Arguments& x) { linear_gelu(x[0], x[1]); }),
      linear_like("linear_silu", [](const Arguments& x) { linear_silu(x[0], x[1]); }),
      {"conv2d",
       {"input", "weight"},
       {ones({1, 4, 4, 2}), ones({3, 2, 3, 3})},
       [](const Arguments& x) { conv2d(x[0], x[1]); }},
      image("max_pool2d", [](const Arguments& x) { max_pool2d(x[0], {.kernel = 2}); }),
      image("max_pool2d_relu", [](const Arguments& x) { max_pool2d_relu(x[0], {.kernel = 2}); }),
      image("avg_pool2d", [](const Arguments& x) { avg_pool2d(x[0], {.kernel = 2}); }),
      image("adaptive_avg_pool2d", [](const Arguments& x) { adaptive_avg_pool2d(x[0], 2); }),
      image("global_avg_pool2d", [](const Arguments& x) { global_avg_pool2d(x[0]); }),
      image("flatten_chw", [](const Arguments& x) { flatten_chw(x[0]); }),
      {"batch_norm",
       {"input", "weight", "bias", "running_mean", "running_var"},
       {ones({1, 4, 4, 2}), channels, channels, channels.clone(), channels.clone()},
       [](const Arguments& x) { batch_norm(x[0], x[1], x[2], x[3], x[4]); }},
      {"batch_norm_relu",
       {"input", "weight", "bias", "running_mean", "running_var"},
       {ones({1, 4, 4, 2}), channels, channels, channels.clone(), channels.clone()},
       [](const Arguments& x) { batch_norm_relu(x[0], x[1], x[2], x[3], x[4]); }},
      {"layer_norm",
       {"input", "weight"},
       {ones({2, 3}), ones({3})},
       [](const Arguments& x) { layer_norm(x[0], x[1], {}); }},
      {"add_layer_norm",
       {"input", "y", "weight"},
       {ones({2, 3}), ones({2, 3}), ones({3})},
       [](const Arguments& x) { add_layer_norm(x[0], x[1], x[2], {}); }},
      {"rms_norm", {"input", "weight"}, {ones({2, 3}), ones({3})}, [](const Arguments& x) { rms_norm(x[0], x[1]); }},
      {"scaled_dot_product_attention",
       {"q", "k", "v"},
       {ones({2, 3, 4}), ones({2, 3, 4}), ones({2, 3, 4})},
       [](const Arguments& x) { scaled_dot_product_attention(x[0], x[1], x[2]); }},
      {"self_attention", {"projected"}, {ones({2, 3, 6})}, [](const Arguments& x) { self_attention(x[0], 2); }},
      {"embedding",
       {"ids", "weight"},
       {indices({0, 1}), ones({2, 3})},
       [](const Arguments& x) { embedding(x[0], x[1]); }},
      {"cross_entropy",
       {"logits", "labels"},
       {ones({2, 3}), indices({0, 1})},
       [](const Arguments& x) { cross_entropy(x[0], x[1]); }},
      loss("mse_loss", [](const Arguments& x) { mse_loss(x[0], x[1]); }),
      loss("l1_loss", [](const Arguments& x) { l1_loss(x[0], x[1]); }),
      loss("huber_loss", [](const Arguments& x) { huber_loss(x[0], x[1]); }),
      loss("bce_with_logits", [](const Arguments& x) { bce_with_logits(x[0], x[1]); }),
      {"sum", {"input"}, {ones({2})}, [](const Arguments& x) { sum(x[0]); }},
      {"mean", {"input"}, {ones({2})}, [](const Arguments& x) { mean(x[0]); }},
      {"max", {"input"}, {ones({2})}, [](const Arguments& x) { max(x[0]); }},
      {"min", {"input"}, {ones({2})}, [](const Arguments& x) { min(x[0]); }},
      {"argmax", {"input"}, {ones({2})}, [](const Arguments& x) { argmax(x[0]); }},
      {"reshape",
       {"input"},
       {ones({2})},
       [](const Arguments& x) {
         reshape(x[0], {1, 2});
       }},
      {"reshape",
       {"input"},
       {ones({2})},
       [](const Arguments& x) {
         reshape(x[0], Shape{1, 2});
       }},
      {"flatten", {"input"}, {ones({2, 2})}, [](const Arguments& x) { flatten(x[0]); }},
      {"permute",
       {"input"},
       {ones({2, 3})},
       [](const Arguments& x) {
         permute(x[0], {1, 0});
       }},
      {"transpose", {"input"}, {ones({2, 3})}, [](const Arguments& x) { transpose(x[0], 0, 1); }},
      {"slice", {"input"}, {ones({2})}, [](const Arguments& x) { slice(x[0], 0, 0, 1); }},
      {"concat",
       {"input 0", "input 1"},
       {ones({2}), ones({2})},
       [](const Arguments& x) {
         concat({x[0], x[1]}, 0);
       }},
      {"stack",
       {"input 0", "input 1"},
       {ones({2}), ones({2})},
       [](const Arguments& x) {
         stack({x[0], x[1]});
       }},
      {"split", {"input"}, {ones({2})}, [](const Arguments& x) { split(x[0], 1); }},
      {"expand", {"input"}, {ones({2})}, [](const Arguments& x) { expand(x[0], {3, 2}); }},
      {"pad", {"input"}, {ones({2})}, [](const Arguments& x) { pad(x[0], {{1, 1}}); }},
      {"gather", {"input", "index"}, {ones({2}), indices({0})}, [](const Arguments& x) { gather(x[0], 0, x[1]); }},
  };
  for (const auto& [name, f] : std::initializer_list<std::pair<const char*, Unary>>{{"acos", acos},
                                                                                    {"acosh", acosh},
                                                                                    {"asin", asin},
                                                                                    {"asinh", asinh},
                                                                                    {"atan", atan},
                                                                                    {"atanh", atanh},
                                                                                    {"ceil", ceil},
                                                                                    {"cos", cos},
                                                                                    {"cosh", cosh},
                                                                                    {"erf", erf},
                                                                                    {"expm1", expm1},
                                                                                    {"floor", floor},
                                                                                    {"hardsigmoid", hardsigmoid},
                                                                                    {"hardswish", hardswish},
                                                                                    {"log1p", log1p},
                                                                                    {"logsigmoid", logsigmoid},
                                                                                    {"mish", mish},
                                                                                    {"reciprocal", reciprocal},
                                                                                    {"relu6", relu6},
                                                                                    {"round", round},
                                                                                    {"rsqrt", rsqrt},
                                                                                    {"selu", selu},
                                                                                    {"sign", sign},
                                                                                    {"sin", sin},
                                                                                    {"sinh", sinh},
                                                                                    {"softsign", softsign},
                                                                                    {"square", square},
                                                                                    {"tan", tan},
                                                                                    {"tanhshrink", tanhshrink},
                                                                                    {"trunc", trunc}}) {
    all.push_back(unary(name, f));
  }
  const auto of_pairs = [&](std::string name, std::function<void(const Arguments&)> call) {
    all.push_back({std::move(name), {"input"}, {ones({2, 4})}, std::move(call)});
  };
  of_pairs("celu", [](const Arguments& x) { celu(x[0]); });
  of_pairs("elu", [](const Arguments& x) { elu(x[0]); });
  of_pairs("geglu", [](const Arguments& x) { geglu(x[0]); });
  of_pairs("glu", [](const Arguments& x) { glu(x[0]); });
  of_pairs("reglu", [](const Arguments& x) { reglu(x[0]); });
  of_pairs("swiglu", [](const Arguments& x) { swiglu(x[0]); });
  of_pairs("hardshrink", [](const Arguments& x) { hardshrink(x[0]); });
  of_pairs("softshrink", [](const Arguments& x) { softshrink(x[0]); });
  of_pairs("hardtanh", [](const Arguments& x) { hardtanh(x[0]); });
  of_pairs("threshold", [](const Arguments& x) { threshold(x[0], 0.0f, 0.0f); });
  const std::vector<Operation> more = {
      {"conv1d",
       {"input", "weight"},
       {ones({1, 4, 2}), ones({3, 2, 3})},
       [](const Arguments& x) { conv1d(x[0], x[1]); }},
      {"conv3d",
       {"input", "weight"},
       {ones({1, 3, 3, 3, 2}), ones({3, 2, 2, 2, 2})},
       [](const Arguments& x) { conv3d(x[0], x[1]); }},
      {"conv_transpose1d",
       {"input", "weight"},
       {ones({1, 4, 2}), ones({2, 3, 3})},
       [](const Arguments& x) { conv_transpose1d(x[0], x[1]); }},
      {"conv_transpose2d",
       {"input", "weight"},
       {ones({1, 4, 4, 2}), ones({2, 3, 3, 3})},
       [](const Arguments& x) { conv_transpose2d(x[0], x[1]); }},
      image("group_norm", [](const Arguments& x) { group_norm(x[0], 2); }),
      image("instance_norm", [](const Arguments& x) { instance_norm(x[0]); }),
      image("interpolate", [](const Arguments& x) { interpolate(x[0], 8); }),
      {"linear_cross_entropy",
       {"input", "weight", "labels"},
       {ones({2, 3}), ones({4, 3}), indices({0, 1})},
       [](const Arguments& x) { linear_cross_entropy(x[0], x[1], x[2]); }},
      {"packed_attention",
       {"q", "k", "v", "offsets"},
       {ones({3, 2, 4}), ones({3, 2, 4}), ones({3, 2, 4}), indices({0, 3})},
       [](const Arguments& x) { packed_attention(x[0], x[1], x[2], x[3]); }},
      {"pixel_shuffle", {"input"}, {ones({1, 2, 2, 4})}, [](const Arguments& x) { pixel_shuffle(x[0], 2); }},
      {"pixel_unshuffle", {"input"}, {ones({1, 2, 2, 4})}, [](const Arguments& x) { pixel_unshuffle(x[0], 2); }},
      {"prelu", {"input", "weight"}, {ones({2, 3}), ones({3})}, [](const Arguments& x) { prelu(x[0], x[1]); }},
      {"rotary_embedding",
       {"input", "table"},
       {ones({1, 2, 3, 4}), rotary_table(3, 4)},
       [](const Arguments& x) { rotary_embedding(x[0], x[1]); }},
  };
  all.insert(all.end(), more.begin(), more.end());
  for (auto* family : {element_operations, loss_operations}) {
    for (Operation& operation : family()) all.push_back(std::move(operation));
  }
  return all;
}

}  // namespace

TEST_CASE("an undefined tensor is refused by the names of operation and argument") {
  for (const Operation& operation : operations()) {
    CAPTURE(operation.name);
    CHECK_NOTHROW(operation.call(operation.arguments));
    std::set<std::string> said;
    for (std::size_t i = 0; i < operation.names.size(); ++i) {
      Arguments arguments = operation.arguments;
      arguments[i] = Tensor();
      std::string text = "nothing";
      try {
        operation.call(arguments);
      } catch (const ValueError& error) {
        text = error.what();
      }
      CAPTURE(operation.names[i]);
      CHECK_MESSAGE((text.starts_with(operation.name + ": ") && text.ends_with(" is an undefined tensor")),
                    "said: ", text);
      CHECK_MESSAGE(said.insert(text).second, "said of two arguments: ", text);
    }
  }
}

TEST_CASE("every operation is tested with undefined tensors") {
  std::set<std::string> tested;
  for (const Operation& operation : operations()) tested.insert(operation.name);
  const std::regex declaration(R"(^(?:Tensor|SumAndNorm|std::vector<Tensor>) (\w+)\((?:std::\w+<)?(?:const )?Tensor)");
  const auto folder = std::filesystem::path(TEMPER_TEST_DIR).parent_path() / "framework/autograd/ops";
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".hpp" || entry.path().stem().string().ends_with("_internal")) continue;
    std::ifstream file(entry.path());
    bool detail = false;  // namespace detail: its functions are called by operators, which are in the table
    for (std::string line; std::getline(file, line);) {
      detail = (detail || line == "namespace detail {") && line != "}  // namespace detail";
      if (detail) continue;
      if (std::smatch match; std::regex_search(line, match, declaration)) {
        ++found;
        CHECK_MESSAGE(tested.contains(match[1]), match[1].str(), " of ", entry.path().filename().string());
      }
    }
  }
  CHECK(found > 60);
}

}  // namespace temper::test
