#include <temper/models/import/import_map.hpp>

#include <algorithm>
#include <cstring>

#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/core/format_internal.hpp"
#include "framework/core/pattern_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/match_internal.hpp"

namespace temper::models {

namespace {

/// The model's tensor of a rule. Throws: ValueError when it cannot be split and transposed as the rule says.
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

/// The shape of each of the file's tensors that make up ours.
Shape shape_of_theirs(const Tensor& ours, const ImportRule& rule) {
  const Shape part = ours.shape().resized(0, ours.size(0) / static_cast<std::int64_t>(rule.theirs.size()));
  return rule.transposed ? Shape{part[1], part[0]} : part;
}

void require_rules(const Tensors& state, const ImportMap& map) {
  for (const auto& [name, tensor] : state) {
    const auto applies = [&name = name](const ImportRule& rule) { return rule.ours == name; };
    if (std::ranges::none_of(map.rules, applies)) fail<ValueError>("import: no rule for the model's tensor '{}'", name);
  }
}

bool equal_bytes(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  const auto equal = [&]<class T>(T) { return std::memcmp(a.data<T>(), b.data<T>(), a.numel() * sizeof(T)) == 0; };
  return a.dtype() == Dtype::f32 ? equal(float()) : a.dtype() == Dtype::bf16 ? equal(BFloat16()) : false;
}

bool is_float(Dtype dtype) { return dtype == Dtype::f32 || dtype == Dtype::bf16; }

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) { return detail::matches(pattern, name); });
}

/// The name of a file's tensor in the map's rules: without the prefix, renamed, and the current name for an older one.
std::string name_of(std::string_view theirs, const ImportMap& map, const MatchOptions& options) {
  std::string name(!map.prefix.empty() && theirs.starts_with(map.prefix) ? theirs.substr(map.prefix.size()) : theirs);
  for (const auto* list : {&options.rename, &map.older}) {
    const auto found = std::ranges::find_if(*list, [&](const auto& pair) { return detail::matches(pair.first, name); });
    if (found != list->end()) name = detail::renamed(name, found->first, found->second);
  }
  return name;
}

bool is_needed(const std::string& name, const ImportMap& map) {
  return std::ranges::any_of(map.copies, [&](const ImportMap::Copy& copy) { return copy.name == name; }) ||
         std::ranges::any_of(map.rules, [&](const ImportRule& rule) {
           return std::ranges::find(rule.theirs, name) != rule.theirs.end();
         });
}

/// A name that the map ignores may still be one that its rules need, such as the heads of a BERT.
bool is_skipped(const std::string& name, const ImportMap& map, const MatchOptions& options) {
  return matches_any(options.skip, name) || (map.ignored != nullptr && map.ignored(name) && !is_needed(name, map));
}

/// The file's tensors by the map's names; adds duplicate names to `problems`.
Tensors by_name(const Tensors& theirs, const ImportMap& map, const MatchOptions& options, std::string& problems) {
  Tensors found;
  for (const auto& [theirs_name, tensor] : theirs) {
    const std::string name = name_of(theirs_name, map, options);
    if (matches_any(options.skip, name)) continue;
    if (!found.emplace(name, tensor).second) {
      problems +=
          fmt::format("\n  twice: {}, the second time as {}", detail::printable(name), detail::printable(theirs_name));
    }
  }
  // A file may hold only the copy of tied weights.
  for (const auto& [name, of] : map.copies) {
    const auto copy = found.find(name);
    if (copy != found.end() && !found.contains(of)) found.emplace(of, copy->second);
  }
  return found;
}

}  // namespace

void import_tensors(const Tensors& state, const Tensors& theirs, const ImportMap& map, std::string_view what,
                    const MatchOptions& options) {
  require_rules(state, map);
  std::string twice, different;
  detail::Unmatched missing, unexpected;
  Tensors remaining = by_name(theirs, map, options, twice);
  const Tensors found = remaining;
  const auto may_be_missing = [&](const ImportRule& rule) {
    return std::ranges::all_of(rule.theirs, [&](const std::string& name) {
      return !found.contains(name) && matches_any(options.allow_missing, name);
    });
  };
  for (const ImportRule& rule : map.rules) {
    const Tensor& ours = target_of(state, rule);
    if (may_be_missing(rule)) continue;
    const Shape expected = shape_of_theirs(ours, rule);
    for (const std::string& name : rule.theirs) {
      const auto source = remaining.find(name);
      if (source == remaining.end()) {
        missing.emplace(name, fmt::format("{} {}", ours.dtype(), expected));
        continue;
      }
      const Tensor& tensor = source->second;
      const bool same_kind = tensor.dtype() == ours.dtype() || (is_float(tensor.dtype()) && is_float(ours.dtype()));
      if (!same_kind || !(tensor.shape() == expected)) {
        different += fmt::format("\n  different: {} is {} {}, the model expects {} {}", name, tensor.dtype(),
                                 tensor.shape(), ours.dtype(), expected);
      }
      remaining.erase(source);
    }
  }
  for (const auto& [name, of] : map.copies) {
    const auto copy = remaining.find(name);
    if (copy == remaining.end()) continue;
    const auto original = found.find(of);
    if (original != found.end() && !equal_bytes(copy->second, original->second)) {
      different += fmt::format("\n  different: {} is not equal to {}, the model has one tensor for both", name, of);
    }
    remaining.erase(copy);
  }
  for (const auto& [name, tensor] : remaining) {
    if (is_skipped(name, map, options)) continue;
    unexpected.emplace(name, fmt::format("{} {}", tensor.dtype(), tensor.shape()));
  }
  const detail::UnmatchedLines lines = detail::unmatched_lines(missing, unexpected);
  const std::string problems = twice + lines.missing + different + lines.unexpected;
  if (!problems.empty()) {
    fail<FileError>("{}: does not fit the model, nothing was loaded:{}", detail::printable(what), problems);
  }

  const NoTape unrecorded;
  for (const ImportRule& rule : map.rules) {
    Tensor ours = target_of(state, rule);
    if (may_be_missing(rule)) continue;
    std::vector<Tensor> parts;
    for (const std::string& name : rule.theirs) {
      const Tensor part = detail::converted(found.find(name)->second, ours.dtype());
      parts.push_back(rule.transposed ? transpose(part, 0, 1) : part);
    }
    ours.copy_from(parts.size() == 1 ? parts.front() : concat(parts, 0));
  }
}

void import_file(const Tensors& state, const std::filesystem::path& path, const ImportMap& map,
                 const MatchOptions& options) {
  const auto wanted = [&](std::string_view name) { return !is_skipped(name_of(name, map, options), map, options); };
  import_tensors(state, load_tensors(path, {.wanted = wanted}).tensors, map, path.native(), options);
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
