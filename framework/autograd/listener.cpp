#include "framework/autograd/listener_internal.hpp"

#include <utility>

namespace temper::detail {

constinit std::atomic<int> listeners = 0;

namespace {

constinit thread_local Listener* current = nullptr;

Heard::Value hold(const Attribute::Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* tensor = std::get_if<const Tensor*>(&value)) return **tensor;
  if (const auto* wide = std::get_if<std::span<const std::int64_t>>(&value)) {
    return std::vector<std::int64_t>(wide->begin(), wide->end());
  }
  const auto& narrow = std::get<std::span<const int>>(value);
  return std::vector<std::int64_t>(narrow.begin(), narrow.end());
}

}  // namespace

Listener::Listener() : outer_(std::exchange(current, this)) { listeners.fetch_add(1, std::memory_order_relaxed); }

Listener::~Listener() {
  current = outer_;
  listeners.fetch_sub(1, std::memory_order_relaxed);
}

void tell(const Operation& operation, const Tensor& y, std::span<const Tensor> inputs) {
  if (current == nullptr || !y.defined()) return;
  Heard heard{operation.name, {inputs.begin(), inputs.end()}, y, y.version(), {}};
  for (const Attribute& attribute : operation.attributes) {
    heard.attributes.emplace(attribute.name, hold(attribute.value));
  }
  current->heard.push_back(std::move(heard));
}

}  // namespace temper::detail
