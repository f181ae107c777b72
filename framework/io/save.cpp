#include <temper/io/save.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::detail {

void add_state(Tensors& state, const std::string& name, const Tensor& tensor) {
  if (!state.emplace(name, tensor).second)
    fail<ValueError>("two tensors of the model are called '{}'", printable(name));
}

void check_state(const Tensors& state, std::string_view path) {
  if (!state.empty()) return;
  fail<ValueError>("{}: the model has no parameter and no buffer to save; does it name its parts in members()?",
                   printable(path));
}

std::string state_problems(const Tensors& state, const Tensors& source) {
  std::string problems;
  for (const auto& [name, target] : state) {
    const auto found = source.find(name);
    if (found == source.end()) {
      problems += fmt::format("\n  missing: {} {} {}", name, target.dtype(), target.shape());
    } else if (found->second.dtype() != target.dtype() || !(found->second.shape() == target.shape())) {
      problems += fmt::format("\n  different: {} is {} {}, the model expects {} {}", name, found->second.dtype(),
                              found->second.shape(), target.dtype(), target.shape());
    }
  }
  for (const auto& [name, tensor] : source) {
    if (!state.contains(name))
      problems += fmt::format("\n  not expected: {} {} {}", printable(name), tensor.dtype(), tensor.shape());
  }
  return problems;
}

}  // namespace temper::detail
