#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/optim/schedule.hpp>

namespace temper::optim {

/// Another value for one of an optimizer's numbers: {"weight_decay", 0.0}.
struct Setting {
  std::string name;
  Schedule value;
};

/// Parameters that are updated alike.
struct Group {
  std::vector<Parameter> parameters{};
  std::string name{};          ///< for reports and errors
  Schedule lr_scale = 1.0;     ///< multiplies the optimizer's lr
  std::vector<Setting> set{};  ///< what differs from the optimizer's options, under the options' names
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

}  // namespace temper::optim
