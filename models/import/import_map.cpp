#include <temper/models/import/import_map.hpp>

#include <algorithm>
#include <cstring>

#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::models {

namespace {

/// The one of our tensors that a rule is about. Throws: ValueError when it cannot be cut and turned as the rule says.
const Tensor& target_of(const Tensors& state, const ImportRule& rule) {
  const auto found = state.find(rule.ours);
  if (found == state.end()) fail<ValueError>("import: the model has no tensor '{}'", rule.ours);
  const Shape& shape = found->second.shape();
  const auto parts = static_cast<std::int64_t>(rule.theirs.size());
  if (parts == 0 || shape.rank() < 1 || shape[0] % parts != 0 || (rule.transposed && shape.rank() != 2)) {
    fail<ValueError>("import: '{}' {} cannot be made of {} {}tensors", rule.ours, shape, parts,
                     rule.transposed ? "transposed " : "");
  }
  return found->second;
}

/// What each of their tensors looks like.
Shape shape_of_theirs(const Tensor& ours, const ImportRule& rule) {
  const Shape part = ours.shape().resized(0, ours.size(0) / static_cast<std::int64_t>(rule.theirs.size()));
  return rule.transposed ? Shape{part[1], part[0]} : part;
}

void require_rules(const Tensors& state, const ImportMap& map) {
  for (const auto& [name, tensor] : state) {
    const auto about = [&name = name](const ImportRule& rule) { return rule.ours == name; };
    if (std::ranges::none_of(map.rules, about)) fail<ValueError>("import: no rule for the model's tensor '{}'", name);
  }
}

Tensor as_f32(const Tensor& x) {
  if (x.dtype() == Dtype::f32) return x;
  Tensor y = empty(x.shape());
  std::ranges::transform(x.values<BFloat16>(), y.mutable_data<float>(), [](BFloat16 from) {
    const std::uint32_t bits = std::uint32_t{from.bits} << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  });
  return y;
}

bool equal_bytes(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  const auto equal = [&]<class T>(T) { return std::memcmp(a.data<T>(), b.data<T>(), a.numel() * sizeof(T)) == 0; };
  return a.dtype() == Dtype::f32 ? equal(float()) : a.dtype() == Dtype::bf16 ? equal(BFloat16()) : false;
}

/// Their tensors without the prefix; adds to `problems` what is there twice.
Tensors without_prefix(const Tensors& theirs, const std::string& prefix, std::string& problems) {
  Tensors found;
  for (const auto& [name, tensor] : theirs) {
    const bool prefixed = !prefix.empty() && name.starts_with(prefix);
    const std::string plain = prefixed ? name.substr(prefix.size()) : name;
    if (!found.emplace(plain, tensor).second) {
      problems += fmt::format("\n  twice: {}, with {} and without", detail::printable(plain), prefix);
    }
  }
  return found;
}

}  // namespace

void import_tensors(const Tensors& state, const Tensors& theirs, const ImportMap& map, std::string_view what) {
  require_rules(state, map);
  std::string problems;
  Tensors left = without_prefix(theirs, map.prefix, problems);
  const Tensors found = left;
  for (const ImportRule& rule : map.rules) {
    const Tensor& ours = target_of(state, rule);
    const Shape expected = shape_of_theirs(ours, rule);
    for (const std::string& name : rule.theirs) {
      const auto source = left.find(name);
      if (source == left.end()) {
        problems += fmt::format("\n  missing: {} {} {}", name, ours.dtype(), expected);
        continue;
      }
      const Tensor& tensor = source->second;
      if ((tensor.dtype() != Dtype::f32 && tensor.dtype() != Dtype::bf16) || !(tensor.shape() == expected)) {
        problems += fmt::format("\n  different: {} is {} {}, the model expects {} {}", name, tensor.dtype(),
                                tensor.shape(), ours.dtype(), expected);
      }
      left.erase(source);
    }
  }
  for (const auto& [name, of] : map.copies) {
    const auto copy = left.find(name);
    if (copy == left.end()) continue;
    const auto original = found.find(of);
    if (original != found.end() && !equal_bytes(copy->second, original->second)) {
      problems += fmt::format("\n  different: {} is not equal to {}, the model has one tensor for both", name, of);
    }
    left.erase(copy);
  }
  for (const auto& [name, tensor] : left) {
    if (map.ignored != nullptr && map.ignored(name)) continue;
    problems += fmt::format("\n  not expected: {} {} {}", detail::printable(name), tensor.dtype(), tensor.shape());
  }
  if (!problems.empty()) {
    fail<FileError>("{}: does not fit the model, nothing was loaded:{}", detail::printable(what), problems);
  }

  const NoTape unrecorded;
  for (const ImportRule& rule : map.rules) {
    Tensor ours = target_of(state, rule);
    std::vector<Tensor> parts;
    for (const std::string& name : rule.theirs) {
      const Tensor part = as_f32(found.find(name)->second);
      parts.push_back(rule.transposed ? transpose(part, 0, 1) : part);
    }
    ours.copy_from(parts.size() == 1 ? parts.front() : concat(parts, 0));
  }
}

Tensors export_tensors(const Tensors& state, const ImportMap& map) {
  require_rules(state, map);
  const NoTape unrecorded;
  Tensors theirs;
  for (const ImportRule& rule : map.rules) {
    const Tensor& ours = target_of(state, rule);
    const std::int64_t rows = ours.size(0) / static_cast<std::int64_t>(rule.theirs.size());
    std::int64_t begin = 0;
    for (const std::string& name : rule.theirs) {
      const Tensor part = slice(ours, 0, begin, begin + rows);
      theirs.insert_or_assign(name, rule.transposed ? transpose(part, 0, 1) : part);
      begin += rows;
    }
  }
  return theirs;
}

}  // namespace temper::models
