#pragma once

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

struct CrossEntropy {
  Index rows, classes;
  const std::int64_t* labels;  ///< [rows], each in [0, classes) or equal to ignore_index
  std::int64_t ignore_index;
  float smoothing;
  const float* weight = nullptr;  ///< [classes], factors of the losses of each class; null for 1
};

/// losses[rows], 0 for ignored ones; stats[rows, 2] is what the backward needs of each row: its largest logit and
/// 1 / sum(exp(x - largest)). Returns whether all logits of some row that is not ignored are -inf.
template <class T>
[[nodiscard]] bool cross_entropy(const CrossEntropy& task, const T* x, float* losses, float* stats);
/// dx[rows, classes] = scale * dy * (softmax(x) - target); dy has stride 0 or 1. dx may be x.
template <class T>
void cross_entropy_backward(const CrossEntropy& task, const T* x, const float* stats, const float* dy, Index stride_dy,
                            float scale, T* dx);

/// The same with probabilities for labels: targets [rows, classes]. `task.labels` is null, no row is ignored.
template <class T>
[[nodiscard]] bool soft_cross_entropy(const CrossEntropy& task, const float* targets, const T* x, float* losses,
                                      float* stats);
/// dx and dtargets [rows, classes], each null unless it is wanted.
template <class T>
void soft_cross_entropy_backward(const CrossEntropy& task, const float* targets, const T* x, const float* stats,
                                 const float* dy, Index stride_dy, float scale, T* dx, float* dtargets);

/// y = loss(x, t), element by element; dx = scale * dy * (derivative by x). `delta` is Huber's.
void pointwise_loss(PointwiseLoss loss, const float* x, const float* t, float delta, float* y, Index n);
void pointwise_loss_backward(PointwiseLoss loss, const float* x, const float* t, float delta, const float* dy,
                             Index stride_dy, float scale, float* dx, Index n);

}  // namespace temper::kernels
