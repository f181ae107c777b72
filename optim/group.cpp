#include <temper/optim/group.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "framework/core/format_internal.hpp"
#include "framework/core/pattern_internal.hpp"
#include "optim/group_internal.hpp"

namespace temper::optim {

namespace {

/// The type of named()'s result, by which assign() recognizes patterns of names.
struct NameMatches {
  std::string pattern;
  bool operator()(const Parameter& parameter) const { return temper::detail::matches(pattern, parameter.name()); }
};

/// The first component of a dotted name that is a number.
std::optional<std::int64_t> layer_number(std::string_view name) {
  while (!name.empty()) {
    const std::string_view part = name.substr(0, name.find('.'));
    std::int64_t number = 0;
    const auto [end, status] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (status == std::errc() && end == part.data() + part.size() && !part.empty() && number >= 0) return number;
    name.remove_prefix(std::min(name.size(), part.size() + 1));
  }
  return std::nullopt;
}

/// The first names, for errors.
std::string some_names(const std::vector<Parameter>& parameters) {
  constexpr std::size_t shown = 8;
  std::string names;
  for (std::size_t i = 0; i < std::min(shown, parameters.size()); ++i) {
    names += fmt::format("{}'{}'", i == 0 ? "" : ", ", parameters[i].name());
  }
  return parameters.size() > shown ? fmt::format("{}, ... ({} in all)", names, parameters.size()) : names;
}

}  // namespace

Predicate named(std::string pattern) { return NameMatches{std::move(pattern)}; }

Predicate has_role(std::initializer_list<Role> roles) {
  return [roles = std::vector<Role>(roles)](const Parameter& parameter) {
    return std::find(roles.begin(), roles.end(), parameter.role()) != roles.end();
  };
}

Predicate anything() {
  return [](const Parameter&) { return true; };
}

namespace detail {

Predicate where_not_zero(const Groups& groups, std::string_view option, const Schedule& usual) {
  std::unordered_set<const void*> owners;
  for (const Group& group : groups) {
    Schedule value = usual;
    for (const Setting& setting : group.set) {
      if (setting.name == option) value = setting.value;
    }
    if (value == Schedule(0.0)) continue;
    for (const Parameter& parameter : group.parameters) owners.insert(parameter.id());
  }
  if (owners.empty()) return {};
  return [owners = std::move(owners)](const Parameter& parameter) { return owners.contains(parameter.id()); };
}

}  // namespace detail

Groups assign(const std::vector<Parameter>& parameters, const std::vector<Rule>& rules) {
  std::vector<Group> groups;
  for (const Rule& rule : rules) {
    // A pattern of names without a match is probably misspelt. Other predicates may apply to nothing.
    const auto* pattern = rule.applies.target<NameMatches>();
    if (pattern != nullptr && std::none_of(parameters.begin(), parameters.end(), *pattern)) {
      fail<ValueError>("assign: no parameter is named '{}'; there are {}", pattern->pattern, some_names(parameters));
    }
    groups.push_back(rule.group);
    groups.back().parameters.clear();
  }
  for (const Parameter& parameter : parameters) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const Rule& r) { return r.applies(parameter); });
    if (rule == rules.end()) {
      fail<ValueError>("assign: parameter '{}' ({}, {}) is in no group; a last rule {{anything()}} takes the rest",
                       parameter.name(), to_string(parameter.role()), parameter.shape());
    }
    groups[static_cast<std::size_t>(rule - rules.begin())].parameters.push_back(parameter);
  }
  std::erase_if(groups, [](const Group& group) { return group.parameters.empty(); });
  return groups;
}

Groups decay_weights(const std::vector<Parameter>& parameters, const std::string& option) {
  return assign(parameters, {{has_role({Role::weight, Role::embedding}), {.name = "decay"}},
                             {anything(), {.name = "no decay", .set = {{option, 0.0}}}}});
}

Groups layerwise_decay(const Groups& groups, double factor) {
  std::int64_t top = -1;
  for (const Group& group : groups) {
    for (const Parameter& parameter : group.parameters) {
      top = std::max(top, layer_number(parameter.name()).value_or(-1));
    }
  }
  std::vector<Group> result;
  for (const Group& group : groups) {
    std::map<std::int64_t, std::vector<Parameter>> layers;
    for (const Parameter& parameter : group.parameters) {
      const std::int64_t without = parameter.role() == Role::embedding ? -1 : top + 1;
      layers[layer_number(parameter.name()).value_or(without)].push_back(parameter);
    }
    for (auto& [layer, parameters] : layers) {
      Group part = group;
      part.parameters = std::move(parameters);
      for (std::int64_t above = layer; above <= top; ++above) part.lr_scale = factor * part.lr_scale;
      const std::string place = layer < 0 ? "below" : layer > top ? "above" : fmt::format("layer {}", layer);
      part.name += (part.name.empty() ? "" : ", ") + place;
      result.push_back(std::move(part));
    }
  }
  return result;
}

}  // namespace temper::optim
