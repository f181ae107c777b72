#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/optim/schedule.hpp>

namespace temper::optim {

/// Another value for one of an optimizer's options: {"weight_decay", 0.0}.
struct Setting {
  std::string name;
  Schedule value;
};

/// Parameters with the same options.
struct Group {
  std::vector<Parameter> parameters{};
  std::string name{};       ///< for reports and errors
  Schedule lr_scale = 1.0;  ///< multiplies the optimizer's lr
  /// Options that differ from the optimizer's, by the options' names. With "clip_norm" the norm of this group is
  /// clipped separately.
  std::vector<Setting> set{};
};

/// The groups of an optimizer. A list of parameters is one group.
class Groups {
 public:
  Groups() = default;
  Groups(std::vector<Parameter> parameters) { groups_.push_back({.parameters = std::move(parameters)}); }
  Groups(std::initializer_list<Parameter> parameters) : Groups(std::vector<Parameter>(parameters)) {}
  Groups(std::vector<Group> groups) : groups_(std::move(groups)) {}
  Groups(std::initializer_list<Group> groups) : groups_(groups) {}

  std::vector<Group>::const_iterator begin() const { return groups_.begin(); }
  std::vector<Group>::const_iterator end() const { return groups_.end(); }
  std::size_t size() const { return groups_.size(); }
  const Group& operator[](std::size_t i) const { return groups_[i]; }

 private:
  std::vector<Group> groups_;
};

/// A condition on a parameter.
using Predicate = std::function<bool(const Parameter&)>;

/// Whether the parameter's name matches a pattern: * stands for any characters, ? for one.
Predicate named(std::string pattern);
/// Whether the parameter has one of these roles.
Predicate has_role(std::initializer_list<Role> roles);
/// True for every parameter.
Predicate anything();

/// The parameters of a group by a condition.
struct Rule {
  Predicate applies;
  Group group{};  ///< its `parameters` are ignored
};

/// Splits parameters into groups: each goes to the group of the first rule that applies. Empty groups are dropped.
///
///     assign(model.parameters(), {{named("encoder.*"), {.lr_scale = 0.1}}, {anything()}})
///
/// Throws: ValueError naming a parameter that no rule applies to, or a pattern of named() that no parameter matches.
Groups assign(const std::vector<Parameter>& parameters, const std::vector<Rule>& rules);

/// Two groups: weights and embeddings with weight decay, biases and norm gains without. `option` is the name of the
/// optimizer's weight decay: "weight_decay", or "l2".
Groups decay_weights(const std::vector<Parameter>& parameters, const std::string& option = "weight_decay");

/// Layer-wise learning rates: splits the groups by layer and multiplies lr_scale by factor^(layers above). The layer is
/// the first number in a name ("encoder.3.weight" is layer 3); embeddings without one are below the first layer,
/// anything else without one is above the last.
/// Source: Howard, Ruder, "Universal language model fine-tuning" (2018), section 3.2.
Groups layerwise_decay(const Groups& groups, double factor);

}  // namespace temper::optim
