#pragma once

#include <temper/nn/module.hpp>

namespace temper::nn {

/// Is called with the output of every layer that runs on this thread during the lifetime of an ObserverScope.
class LayerObserver {
 public:
  virtual void observe(const Layer& layer, const Tensor& output) = 0;

 protected:
  ~LayerObserver() = default;
};

/// Whether there is an observer on this thread.
bool observed();

/// Installs an observer on this thread, in place of the outer one.
class ObserverScope {
 public:
  explicit ObserverScope(LayerObserver& installed);
  ~ObserverScope();
  ObserverScope(const ObserverScope&) = delete;
  ObserverScope& operator=(const ObserverScope&) = delete;

 private:
  LayerObserver* outer_;
};

}  // namespace temper::nn
