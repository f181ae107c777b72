// Loads tensors from elsewhere into a model: matches names, checks that all fit, then copies.

#include <algorithm>
#include <optional>
#include <set>

#include <temper/io/save.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/core/format_internal.hpp"
#include "framework/core/pattern_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::detail {

namespace {

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) { return matches(pattern, name); });
}

void check(const MatchOptions& options) {
  for (const auto& [from, to] : options.rename) {
    const auto stars = [](const std::string& pattern) { return std::ranges::count(pattern, '*'); };
    if (stars(from) > 1 || stars(to) > stars(from)) {
      fail<ValueError>("rename: '{}' to '{}', expected one * on each side, or none", printable(from), printable(to));
    }
  }
}

std::string renamed(std::string_view name, const MatchOptions& options) {
  for (const auto& [from, to] : options.rename) {
    if (matches(from, name)) return detail::renamed(name, from, to);
  }
  return std::string(name);
}

bool is_float(Dtype dtype) { return dtype == Dtype::f32 || dtype == Dtype::bf16; }

/// PyTorch's batch norms count their batches, but use the count only when their momentum is None.
bool is_counter(std::string_view name) {
  return name.ends_with(".num_batches_tracked") || name == "num_batches_tracked";
}

/// "f32 [2, 3]"
std::string described(const Tensor& tensor) { return fmt::format("{} {}", tensor.dtype(), tensor.shape()); }

/// The source's tensors, by their names after renaming.
struct Matched {
  Tensors tensors;
  std::map<std::string, std::string, std::less<>> unread;  ///< descriptions of tensors that were not read
};

/// If all names differ by one prefix, a line that says so and how to rename.
std::optional<std::string> prefix_problem(const std::map<std::string, std::string, std::less<>>& missing,
                                          const std::map<std::string, std::string, std::less<>>& unexpected) {
  const auto all_begin_with = [](const auto& longer, const auto& shorter, const std::string& prefix) {
    return std::ranges::all_of(shorter, [&](const auto& entry) {
      const auto found = longer.find(prefix + entry.first);
      const auto shape = [](const std::string& what) { return std::string_view(what).substr(what.find('[')); };
      return found != longer.end() && shape(found->second) == shape(entry.second);
    });
  };
  const auto prefixes = [&](const auto& longer, const auto& shorter) {
    std::set<std::string> found;  // the beginnings of longer names that end in the first of the shorter ones
    const std::string& name = shorter.begin()->first;
    for (const auto& entry : longer) {
      const std::string& other = entry.first;
      if (other.size() > name.size() && other.ends_with(name))
        found.insert(other.substr(0, other.size() - name.size()));
    }
    return found;
  };
  if (missing.empty() || missing.size() != unexpected.size()) return std::nullopt;
  for (const std::string& prefix : prefixes(unexpected, missing)) {
    if (!all_begin_with(unexpected, missing, prefix)) continue;
    return fmt::format("\n  all names begin with '{}', the model's do not; set .rename = {{{{\"{}*\", \"*\"}}}}",
                       printable(prefix), printable(prefix));
  }
  for (const std::string& prefix : prefixes(missing, unexpected)) {
    if (!all_begin_with(missing, unexpected, prefix)) continue;
    return fmt::format("\n  the model's names all begin with '{}', these do not; set .rename = {{{{\"*\", \"{}*\"}}}}",
                       printable(prefix), printable(prefix));
  }
  return std::nullopt;
}

/// A line for each tensor that does not fit; empty when all fit.
std::string match_problems(const Tensors& state, const Matched& theirs, const MatchOptions& options) {
  std::map<std::string, std::string, std::less<>> missing, unexpected;
  std::string different;
  for (const auto& [name, target] : state) {
    const auto found = theirs.tensors.find(name);
    if (found == theirs.tensors.end()) {
      if (!matches_any(options.allow_missing, name)) missing.emplace(name, described(target));
      continue;
    }
    const Tensor& tensor = found->second;
    const bool same_kind = tensor.dtype() == target.dtype() || (is_float(tensor.dtype()) && is_float(target.dtype()));
    if (!same_kind || !(tensor.shape() == target.shape())) {
      different +=
          fmt::format("\n  different: {} is {}, the model expects {}", name, described(tensor), described(target));
    }
  }
  const auto add = [&](const std::string& name, const std::string& what) {
    if (!state.contains(name) && !is_counter(name) && !matches_any(options.skip, name)) unexpected.emplace(name, what);
  };
  for (const auto& [name, tensor] : theirs.tensors) add(name, described(tensor));
  for (const auto& [name, what] : theirs.unread) add(name, what);

  if (const auto line = prefix_problem(missing, unexpected)) return *line + different;
  std::string problems;
  for (const auto& [name, what] : missing) problems += fmt::format("\n  missing: {} {}", name, what);
  problems += different;
  for (const auto& [name, what] : unexpected) problems += fmt::format("\n  not expected: {} {}", printable(name), what);
  return problems;
}

void copy_matched(Tensors& state, const Matched& theirs, const MatchOptions& options, std::string_view what,
                  std::string_view hint) {
  const std::string problems = match_problems(state, theirs, options);
  if (!problems.empty()) {
    fail<FileError>("{}: does not fit the model, nothing was loaded:{}{}", printable(what), problems, hint);
  }
  for (auto& [name, target] : state) {
    const auto found = theirs.tensors.find(name);
    if (found != theirs.tensors.end()) target.copy_from(converted(found->second, target.dtype()));
  }
}

/// Enters a tensor of the source by its name after renaming. Throws: FileError when two get the same name.
template <class Map, class Value>
void enter(Map& map, const std::string& theirs, Value&& value, const MatchOptions& options, std::string_view what) {
  const std::string name = renamed(theirs, options);
  if (!map.emplace(name, std::forward<Value>(value)).second) {
    fail<FileError>("{}: two tensors are renamed to '{}', the second is '{}'", printable(what), printable(name),
                    printable(theirs));
  }
}

}  // namespace

void copy_state(Tensors& state, Tensors source, const MatchOptions& options) {
  constexpr std::string_view what = "load_state_dict";
  check(options);
  Matched theirs;
  for (auto& [name, tensor] : source) {
    if (matches_any(options.skip, renamed(name, options))) continue;
    enter(theirs.tensors, name, std::move(tensor), options, what);
  }
  copy_matched(state, theirs, options, what, "");
}

void load_state(Tensors& state, const std::filesystem::path& path, const MatchOptions& options) {
  check(options);
  const auto wanted = [&](std::string_view name) {
    const std::string here = renamed(name, options);
    return state.contains(here) && !matches_any(options.skip, here);
  };
  TensorFile file = load_tensors(path, {.wanted = wanted});
  Matched theirs;
  for (auto& [name, tensor] : file.tensors) enter(theirs.tensors, name, std::move(tensor), options, path.native());
  for (auto& [name, text] : file.left_out) enter(theirs.unread, name, std::move(text), options, path.native());
  const bool shard = matches("*-of-*.safetensors", path.filename().native());
  copy_matched(state, theirs, options, path.native(),
               shard ? "\n  this is one file of several: load the .index.json beside it" : "");
}

}  // namespace temper::detail
