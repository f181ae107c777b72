// Loads tensors from elsewhere into a model: matches names, checks that all fit, then copies.

#include <algorithm>
#include <optional>

#include <temper/io/save.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/core/format_internal.hpp"
#include "framework/core/pattern_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/match_internal.hpp"

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
  Unmatched unread;  ///< descriptions of tensors that were not read
};

/// The prefix that all of `longer` begin with, if all of `shorter` are among them without it. Either may have other
/// shapes, and `longer` more names: a file of several GPUs' model may have another last layer, too.
std::optional<std::string> prefix_of(const Unmatched& longer, const Unmatched& shorter) {
  if (shorter.empty()) return std::nullopt;
  const std::string& name = shorter.begin()->first;
  for (const auto& entry : longer) {
    const std::string& other = entry.first;
    if (other.size() <= name.size() || !other.ends_with(name)) continue;
    std::string prefix = other.substr(0, other.size() - name.size());
    const auto has_prefix = [&](const auto& it) { return it.first.starts_with(prefix); };
    const auto is_found = [&](const auto& it) { return longer.contains(prefix + it.first); };
    if (std::ranges::all_of(longer, has_prefix) && std::ranges::all_of(shorter, is_found)) return prefix;
  }
  return std::nullopt;
}

/// A line for each tensor that does not fit; empty when all fit.
std::string match_problems(const Tensors& state, const Matched& theirs, const MatchOptions& options) {
  Unmatched missing, unexpected;
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

  const UnmatchedLines lines = unmatched_lines(missing, unexpected);
  return lines.missing + different + lines.unexpected;
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

UnmatchedLines unmatched_lines(const Unmatched& missing, const Unmatched& unexpected) {
  if (const auto prefix = prefix_of(unexpected, missing)) {
    return {fmt::format("\n  {} names begin with '{}', the model's do not; set .rename = {{{{\"{}*\", \"*\"}}}}",
                        unexpected.size(), printable(*prefix), printable(*prefix)),
            ""};
  }
  if (const auto prefix = prefix_of(missing, unexpected)) {
    return {
        fmt::format("\n  {} of the model's names begin with '{}', these do not; set .rename = {{{{\"*\", \"{}*\"}}}}",
                    missing.size(), printable(*prefix), printable(*prefix)),
        ""};
  }
  UnmatchedLines lines;
  for (const auto& [name, what] : missing) lines.missing += fmt::format("\n  missing: {} {}", name, what);
  for (const auto& [name, what] : unexpected) {
    lines.unexpected += fmt::format("\n  not expected: {} {}", printable(name), what);
  }
  return lines;
}

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
