#pragma once

#include <temper/nn/module.hpp>

namespace temper::nn {

/// Sees the output of every layer that runs on this thread while an ObserverScope lives.
class LayerObserver {
 public:
  virtual void observe(const Layer& layer, const Tensor& output) = 0;

 protected:
  ~LayerObserver() = default;
};

/// Whether one does on this thread.
bool observed();

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
