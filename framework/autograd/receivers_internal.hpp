#pragma once

#include <memory>
#include <vector>

#include <temper/autograd/parameter.hpp>

#include "framework/autograd/scope_internal.hpp"

namespace temper::detail {

/// From its birth to its end, or stop(), lists the parameters that this thread's tapes add gradients to.
class GradientReceivers {
 public:
  GradientReceivers() { thread_scopes.receivers = &list_; }
  GradientReceivers(const GradientReceivers&) = delete;
  GradientReceivers& operator=(const GradientReceivers&) = delete;
  ~GradientReceivers() { stop(); }

  bool listening() const { return thread_scopes.receivers == &list_; }
  void stop() {
    if (listening()) thread_scopes.receivers = nullptr;
  }
  /// Those that still live.
  std::vector<std::shared_ptr<ParameterState>> living() const {
    std::vector<std::shared_ptr<ParameterState>> all;
    for (const auto& listed : list_) {
      if (auto parameter = listed.lock()) all.push_back(std::move(parameter));
    }
    return all;
  }

 private:
  std::vector<std::weak_ptr<ParameterState>> list_;
};

}  // namespace temper::detail
