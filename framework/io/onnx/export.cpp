#include "framework/io/onnx/export_internal.hpp"

#include <algorithm>
#include <unordered_set>

#include <temper/autograd/ops/arrange.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/io/onnx.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper {

namespace detail::onnx {

namespace {

const Emitters& emitters() {
  static const Emitters all = [] {
    Emitters emitters;
    add_elementwise(emitters);
    add_arrangements(emitters);
    add_reductions(emitters);
    add_images(emitters);
    add_networks(emitters);
    add_attention(emitters);
    return emitters;
  }();
  return all;
}

/// Calls f for each tensor that an operation uses.
template <class F>
void for_used(const Heard& heard, F f) {
  for (const Tensor& input : heard.inputs) {
    if (input.defined()) f(input);
  }
  for (const auto& [name, value] : heard.attributes) {
    if (const auto* tensor = std::get_if<Tensor>(&value); tensor != nullptr && tensor->defined()) f(*tensor);
  }
}

bool equal_tensors(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && std::ranges::equal(bytes_of(a), bytes_of(b));
}

/// The axis of a constant that grows with the examples if all its rows there are the same; else -1.
int repeated_axis(const Tensor& x, const Tensor& longer) {
  for (int axis = 0; axis < x.rank() && x.rank() == longer.rank(); ++axis) {
    if (x.size(axis) == longer.size(axis)) continue;
    const auto all_as_first = [&](const Tensor& all) {
      for (std::int64_t i = 0; i < all.size(axis); ++i) {
        if (!equal_tensors(slice(all, axis, i, i + 1), slice(x, axis, 0, 1))) return false;
      }
      return true;
    };
    return x.numel() > 0 && all_as_first(x) && all_as_first(longer) ? axis : -1;
  }
  return -1;
}

}  // namespace

void refuse(const std::string& operation, const std::string& why) {
  fail<ValueError>("export_onnx: {} {}", operation, why);
}

Size Exporter::size(std::int64_t one, std::int64_t two) const { return {one - (two - one) * examples_, two - one}; }

Sizes Exporter::sizes(const Pair& tensor, const std::string& user) const {
  const Shape &one = tensor.one.shape(), &two = tensor.two.shape();
  Sizes sizes;
  for (int axis = 0; axis < one.rank(); ++axis) {
    sizes.push_back(size(one[axis], two[axis]));
    if (sizes.back().fixed < 0) {
      refuse(user, fmt::format("has a tensor {} for {} examples, and {} for one more, expected an even growth", one,
                               examples_, two));
    }
  }
  return sizes;
}

Value Exporter::value(const Pair& tensor, const std::string& user) {
  Value& known = values_[tensor.one.id()];
  if (!known) known = constant(tensor, user);
  return known;
}

Value Exporter::constant(const Pair& tensor, const std::string& user) {
  const auto& [one, two] = tensor;
  if (const auto named = names_.find(one.id()); named != names_.end()) return graph_.initializer(named->second, one);
  if (one.same(two) || equal_tensors(one, two)) return graph_.constant(one);
  if (const int axis = repeated_axis(one, two); axis >= 0) {
    return apply("Expand", graph_.constant(slice(one, axis, 0, 1).clone()), graph_.sizes(sizes(tensor, user)));
  }
  refuse(user, fmt::format("uses a tensor {} {} that depends on the inputs and that no operation computed: a program "
                           "must not read or write the elements of such tensors itself",
                           one.dtype(), one.shape()));
}

void Exporter::write(const std::vector<Heard>& one, const std::vector<Heard>& two, const std::vector<Pair>& outputs) {
  for (std::size_t i = 0; i < std::max(one.size(), two.size()); ++i) {
    const auto name = [&](const std::vector<Heard>& all) { return i < all.size() ? all[i].name : "nothing"; };
    if (name(one) == name(two)) continue;
    fail<ValueError>("export_onnx: operation {} is {} for {} examples, and {} for one more, expected the same", i,
                     name(one), examples_, name(two));
  }
  // When several operations name one result, the last one counts, which computed it by means of the others.
  std::unordered_map<std::uint64_t, std::size_t> maker;
  for (std::size_t i = 0; i < one.size(); ++i) maker.insert_or_assign(one[i].y.id(), i);
  std::unordered_set<std::uint64_t> needed;
  for (const Pair& output : outputs) needed.insert(output.one.id());
  std::vector<std::size_t> steps;
  for (std::size_t i = one.size(); i-- > 0;) {
    const std::uint64_t id = one[i].y.id();
    if (maker[id] != i || !needed.contains(id) || values_.contains(id)) continue;
    steps.push_back(i);
    for_used(one[i], [&](const Tensor& tensor) { needed.insert(tensor.id()); });
  }
  std::ranges::reverse(steps);
  for (const std::size_t i : steps) {
    const Step step(*this, one[i], two[i]);
    if (one[i].y.version() != one[i].version) {
      refuse(step.name(), fmt::format("gave a tensor {} that was changed in place afterwards", one[i].y.shape()));
    }
    const auto emit = emitters().find(step.has("view") ? "view" : std::string_view(step.name()));
    if (emit == emitters().end()) refuse(step.name(), "has no counterpart in ONNX");
    define(one[i].y, emit->second(step));
  }
}

Value Step::in(std::size_t input) const {
  if (input >= one_.inputs.size() || !one_.inputs[input].defined()) return {};
  return exporter_.value({one_.inputs[input], two_.inputs[input]}, name());
}

std::int64_t Step::fixed(const Size& size) const {
  if (size.varies()) refuse(name(), "has a number that varies with the number of examples where ONNX has a fixed one");
  return size.fixed;
}

template <class T>
std::pair<const T&, const T&> Step::both(std::string_view attribute) const {
  const auto find = [&](const Heard& heard) -> const T& {
    const auto found = heard.attributes.find(attribute);
    const T* const value = found == heard.attributes.end() ? nullptr : std::get_if<T>(&found->second);
    if (value == nullptr) refuse(name(), fmt::format("does not say its {}", attribute));
    return *value;
  };
  return {find(one_), find(two_)};
}

float Step::number(std::string_view attribute) const {
  const auto [one, two] = both<double>(attribute);
  if (one != two) refuse(name(), fmt::format("has another {} for one example more", attribute));
  return static_cast<float>(one);
}

Integers Step::integers(std::string_view attribute) const {
  const auto [one, two] = both<Integers>(attribute);
  if (one != two) refuse(name(), fmt::format("has another {} for one example more", attribute));
  return one;
}

Size Step::size(std::string_view attribute) const {
  const auto [one, two] = both<std::int64_t>(attribute);
  return exporter_.size(one, two);
}

Value Step::value(std::string_view attribute) const {
  const auto [one, two] = both<Tensor>(attribute);
  return one.defined() ? exporter_.value({one, two}, name()) : Value{};
}

const Tensor& Step::constant(std::string_view attribute) const { return both<Tensor>(attribute).first; }

namespace {

/// What a program gave, and how.
struct Run {
  std::vector<Tensor> outputs;
  std::vector<Heard> heard;
};

Run run(const OnnxProgram& program, const std::vector<Tensor>& inputs) {
  Listener listener;
  std::vector<Tensor> outputs = program(inputs);
  return {std::move(outputs), std::move(listener.heard)};
}

/// Throws unless there are examples; gives their number, 0 when no input is batched.
std::int64_t count_examples(const std::vector<OnnxInput>& inputs) {
  std::int64_t examples = 0;
  for (const auto& [name, example, batched] : inputs) {
    if (!example.defined()) refuse("input " + name, "is an undefined tensor");
    if (!batched) continue;
    if (example.rank() == 0 || example.size(0) == 0) {
      refuse("input " + name, fmt::format("{}, expected [N, ...] with N from 1 on", example.shape()));
    }
    if (examples != 0 && example.size(0) != examples) {
      refuse("input " + name,
             fmt::format("{} has {} examples, expected {}", example.shape(), example.size(0), examples));
    }
    examples = example.size(0);
  }
  return examples;
}

/// The rows of x in reverse, and the first of these again.
Tensor with_one_more(const Tensor& x) {
  const Tensor reversed = flip(x, {0});
  return concat({reversed, reversed.rows(0, 1)}, 0);
}

}  // namespace

}  // namespace detail::onnx

void export_onnx(const std::filesystem::path& path, const Tensors& state, const std::vector<OnnxInput>& inputs,
                 const OnnxProgram& program, const OnnxOptions& options) {
  using namespace detail::onnx;
  const NoTape evaluation;
  const std::int64_t examples = count_examples(inputs);
  std::vector<Tensor> first, second;
  for (const auto& [name, example, batched] : inputs) {
    first.push_back(example);
    second.push_back(batched ? with_one_more(example) : example);
  }
  std::vector<std::uint32_t> versions;
  for (const Tensor& input : first) versions.push_back(input.version());
  const Run one = run(program, first), two = examples == 0 ? one : run(program, second);
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i].version() != versions[i]) refuse("input " + inputs[i].name, "was changed in place by the program");
  }
  if (one.outputs.empty() || one.outputs.size() != two.outputs.size() ||
      (!options.outputs.empty() && options.outputs.size() != one.outputs.size())) {
    fail<ValueError>("export_onnx: the program gives {} outputs, for one example more {}; {} names", one.outputs.size(),
                     two.outputs.size(), options.outputs.size());
  }
  Graph graph;
  std::unordered_map<std::uint64_t, std::string> names;
  for (const auto& [name, tensor] : state) {
    names.emplace(tensor.id(), name);
    graph.reserve(name);
  }
  const auto reserve = [&](const char* what, const std::string& name) {
    if (name.empty() || !graph.reserve(name)) refuse(fmt::format("{} '{}'", what, name), "needs a name of its own");
  };
  for (const OnnxInput& input : inputs) reserve("input", input.name);
  std::vector<std::string> output_names = options.outputs;
  for (std::size_t i = output_names.size(); i < one.outputs.size(); ++i) {
    output_names.push_back(one.outputs.size() == 1 ? "output" : fmt::format("output_{}", i));
  }
  for (const std::string& name : output_names) reserve("output", name);
  Exporter exporter(graph, std::move(names), examples);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    exporter.define(first[i],
                    graph.input(inputs[i].name, first[i], exporter.sizes({first[i], second[i]}, inputs[i].name)));
  }
  std::vector<Pair> outputs;
  for (std::size_t i = 0; i < one.outputs.size(); ++i) {
    if (!one.outputs[i].defined() || !two.outputs[i].defined()) {
      refuse(fmt::format("output {}", i), "is an undefined tensor");
    }
    outputs.push_back({one.outputs[i], two.outputs[i]});
  }
  exporter.write(one.heard, two.heard, outputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = output_names[i];
    graph.output(name, exporter.value(outputs[i], name), outputs[i].one, exporter.sizes(outputs[i], name));
  }
  graph.write(path, options.max_bytes);
}

void export_onnx(const std::filesystem::path& path, const nn::Layer& layer, const Tensor& example,
                 const OnnxOptions& options) {
  export_onnx(
      path, state_dict(layer), {{"input", example}},
      [&](const std::vector<Tensor>& in) { return std::vector{layer(in[0])}; }, options);
}

}  // namespace temper
