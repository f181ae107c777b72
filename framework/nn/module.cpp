#include <temper/nn/module.hpp>

#include <algorithm>
#include <unordered_set>

#include "framework/core/format_internal.hpp"
#include "framework/nn/observer_internal.hpp"

namespace temper::nn {

namespace {

thread_local LayerObserver* observer = nullptr;

template <class Parts, class Name>
void check_names(const Parts& parts, Name name) {
  std::unordered_set<std::string> seen;
  for (const auto& part : parts) {
    if (!seen.insert(name(part)).second) fail<ValueError>("module: two parts are named '{}'", name(part));
  }
}

}  // namespace

std::string Members::joined(std::string_view name) const {
  return prefix_.empty() ? std::string(name) : prefix_ + "." + std::string(name);
}

void Members::operator()(std::string_view name, const Parameter& parameter) {
  if (!parameter.defined()) return;
  if (std::ranges::any_of(parameters_, [&](const Parameter& known) { return known.same(parameter); })) return;
  parameters_.push_back(parameter.named(joined(name)));
}

void Members::operator()(std::string_view name, const Tensor& buffer) {
  if (buffer.defined()) buffers_.push_back({joined(name), buffer});
}

void Members::operator()(std::string_view name, const Module& child) {
  std::string outer = std::exchange(prefix_, joined(name));
  children_.push_back({prefix_, &child});
  child.members(*this);
  prefix_ = std::move(outer);
}

void Module::members(Members&) const {}

std::string Module::description() const { return "Module"; }

std::vector<Parameter> Module::parameters() const {
  Members members_of_this;
  members(members_of_this);
  check_names(members_of_this.parameters_, [](const Parameter& parameter) { return parameter.name(); });
  return std::move(members_of_this.parameters_);
}

std::vector<Buffer> Module::buffers() const {
  Members members_of_this;
  members(members_of_this);
  check_names(members_of_this.buffers_, [](const Buffer& buffer) { return buffer.name; });
  return std::move(members_of_this.buffers_);
}

std::vector<Child> Module::children() const {
  Members members_of_this;
  members(members_of_this);
  return std::move(members_of_this.children_);
}

void Module::freeze() const {
  for (Parameter parameter : parameters()) parameter.freeze();
}

void Module::unfreeze() const {
  for (Parameter parameter : parameters()) parameter.unfreeze();
}

Tensor Layer::operator()(const Tensor& x) const {
  Tensor y = forward(x);
  if (observer != nullptr) observer->observe(*this, y);
  return y;
}

bool observed() { return observer != nullptr; }

ObserverScope::ObserverScope(LayerObserver& installed) : outer_(std::exchange(observer, &installed)) {}
ObserverScope::~ObserverScope() { observer = outer_; }

}  // namespace temper::nn
