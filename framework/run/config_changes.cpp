#include "framework/run/config_changes_internal.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/train/config_internal.hpp"

namespace temper {

namespace {

std::map<std::string, std::string> entries_of(const std::string& config) {
  const detail::Config entries = detail::read_config(config);
  return {entries.begin(), entries.end()};
}

}  // namespace

std::string config_changes(const std::string& was, const std::string& is, const std::vector<std::string>& own_free) {
  static const std::set<std::string> free = {"data",       "threads",     "eval-every", "checkpoint-every",
                                             "log-every",  "tensorboard", "keep",       "patience",
                                             "min-change", "max-time",    "max-loss",   "histograms"};
  const auto before = entries_of(was), now = entries_of(is);
  const auto value = [](const auto& entries, const std::string& name) {
    const auto found = entries.find(name);
    return found == entries.end() ? std::string("not there") : detail::printable(found->second);
  };
  std::set<std::string> names;
  for (const auto& [name, unused] : before) names.insert(name);
  for (const auto& [name, unused] : now) names.insert(name);
  std::string text;
  for (const std::string& name : names) {
    if (free.contains(name) || std::ranges::find(own_free, "--" + name) != own_free.end()) continue;
    const std::string a = value(before, name), b = value(now, name);
    if (a != b) text += fmt::format("\n  --{} was {}, now {}", name, a, b);
  }
  return text;
}

}  // namespace temper
