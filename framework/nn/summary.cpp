#include <temper/nn/summary.hpp>

#include <map>
#include <optional>

#include <temper/autograd/tape.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/nn/observer_internal.hpp"

namespace temper::nn {

namespace {

struct Row {
  std::string name, layer, parameters, output;
  std::int64_t count = 0, bytes = 0;
};

class Outputs : public LayerObserver {
 public:
  void observe(const Layer& layer, const Tensor& output) override { shapes_.emplace(&layer, output.shape()); }
  std::string of(const Module* module) const {
    const auto found = shapes_.find(module);
    return found == shapes_.end() ? "" : to_string(found->second);
  }

 private:
  std::map<const Module*, Shape> shapes_;
};

/// "1,234,567"
std::string with_commas(std::int64_t number) {
  const std::string digits = std::to_string(number);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string memory(std::int64_t size) {
  const auto bytes = static_cast<double>(size);
  if (bytes < 1024.0 * 1024.0) return fmt::format("{:.1f} KiB", bytes / 1024.0);
  return fmt::format("{:.1f} MiB", bytes / (1024.0 * 1024.0));
}

/// The parameters whose name is `prefix.something` without a further dot: those of the module itself.
void describe_own(Row& row, const std::string& prefix, const std::vector<Parameter>& parameters) {
  const std::string start = prefix.empty() ? "" : prefix + ".";
  for (const Parameter& parameter : parameters) {
    const std::string& name = parameter.name();
    if (name.compare(0, start.size(), start) != 0) continue;
    const std::string own = name.substr(start.size());
    if (own.find('.') != std::string::npos) continue;
    row.parameters += fmt::format("{}{} {}", row.parameters.empty() ? "" : ", ", own, parameter.shape());
    if (parameter.frozen()) row.parameters += " frozen";
    row.count += parameter.shape().numel();
    row.bytes += parameter.shape().numel() * static_cast<std::int64_t>(size_of(parameter.value().dtype()));
  }
}

std::string table(const std::vector<Row>& rows, bool with_output) {
  std::size_t name = 4, layer = 5, output = with_output ? 6 : 0, parameters = 10;
  for (const Row& row : rows) {
    name = std::max(name, row.name.size());
    layer = std::max(layer, row.layer.size());
    parameters = std::max(parameters, row.parameters.size());
    if (with_output) output = std::max(output, row.output.size());
  }
  std::string out;
  const auto line = [&](std::string_view a, std::string_view b, std::string_view c, std::string_view d,
                        std::string_view e, std::string_view f) {
    out += fmt::format("{:<{}}  {:<{}}  ", a, name, b, layer);
    if (with_output) out += fmt::format("{:<{}}  ", c, output);
    out += fmt::format("{:<{}}  {:>12}  {:>10}\n", d, parameters, e, f);
  };
  line("name", "layer", "output", "parameters", "count", "memory");
  std::int64_t count = 0, bytes = 0;
  for (const Row& row : rows) {
    count += row.count;
    bytes += row.bytes;
    line(row.name, row.layer, row.output, row.parameters, row.count == 0 ? "" : with_commas(row.count),
         row.count == 0 ? "" : memory(row.bytes));
  }
  line("", "", "", "total", with_commas(count), memory(bytes));
  return out;
}

std::string summary_of(const Module& module, const Outputs* outputs) {
  const std::vector<Parameter> parameters = module.parameters();
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, const Module& part) {
    Row row{name, part.description(), {}, outputs != nullptr ? outputs->of(&part) : ""};
    describe_own(row, name, parameters);
    rows.push_back(std::move(row));
  };
  add("", module);
  for (const Child& child : module.children()) add(child.name, *child.module);
  return table(rows, outputs != nullptr);
}

}  // namespace

std::string summary(const Module& module) { return summary_of(module, nullptr); }

std::string summary(const Module& module, const Tensor& example) {
  const auto* layer = dynamic_cast<const Layer*>(&module);
  if (layer == nullptr) {
    fail<ValueError>("summary: {} is not a Layer, so it cannot be run on one tensor", module.description());
  }
  Outputs outputs;
  {
    const NoTape unrecorded;
    const ObserverScope scope(outputs);
    (*layer)(example);
  }
  return summary_of(module, &outputs);
}

}  // namespace temper::nn
