#pragma once

#include <temper/autograd/ops/loss.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// Distances and angles of vectors along an axis, and losses that ask for margins between them. All are f32. All throw:
// ShapeError when shapes or dtypes do not fit; ValueError for the mean of nothing, and for options out of range.

struct NormalizeOptions {
  double p = 2.0;  ///< which norm
  int axis = 1;
  float eps = 1e-12f;  ///< shorter vectors are divided by it
};
/// x / max(norm(x), eps) along an axis: vectors of length 1.
Tensor normalize(const Tensor& x, const NormalizeOptions& options = {});

struct SimilarityOptions {
  int axis = 1;
  float eps = 1e-8f;  ///< shorter vectors count as of that length
};
/// The cosine of the angle between a and b, which broadcast, without the axis.
Tensor cosine_similarity(const Tensor& a, const Tensor& b, const SimilarityOptions& options = {});

struct DistanceOptions {
  double p = 2.0;
  float eps = 1e-6f;  ///< added to each difference
  bool keepdim = false;
};
/// norm(a - b + eps) along the last axis, where a and b broadcast.
Tensor pairwise_distance(const Tensor& a, const Tensor& b, const DistanceOptions& options = {});

struct MarginOptions {
  float margin = 0.0f;
  Reduction reduction = Reduction::mean;
};

/// 1 - cos where y is 1, max(0, cos - margin) where it is -1: cos of the angle between a and b [N, D], or [D]; y [N],
/// or [].
Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& y, const MarginOptions& options = {});
/// max(0, margin - y (a - b)): a is to be larger than b where y is 1, smaller where it is -1. All of one shape.
Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& y, const MarginOptions& options = {});
/// x where y is 1, max(0, margin - x) where it is -1; margin is 1 in PyTorch unless given, and so it is here.
Tensor hinge_embedding_loss(const Tensor& x, const Tensor& y, const MarginOptions& options = {.margin = 1.0f});
/// log(1 + e^(-y x)), for y of 1 and -1.
Tensor soft_margin_loss(const Tensor& x, const Tensor& y, const LossOptions& options = {});

struct MultiMarginOptions {
  int p = 1;  ///< 1 or 2
  float margin = 1.0f;
  Reduction reduction = Reduction::mean;
};
/// The sum over the other classes of max(0, margin - x[label] + x[class])^p, divided by the number of classes: x [N,
/// classes], labels i64 [N]. Throws also: ValueError for a label outside the classes.
Tensor multi_margin_loss(const Tensor& x, const Tensor& labels, const MultiMarginOptions& options = {});

struct TripletOptions {
  float margin = 1.0f;
  double p = 2.0;
  float eps = 1e-6f;
  bool swap = false;  ///< the negative is as near as it is to the anchor or to the positive, whichever is nearer
  Reduction reduction = Reduction::mean;
};
/// max(0, d(anchor, positive) - d(anchor, negative) + margin), with the pairwise distance d: all [..., D]. Source:
/// Balntas et al., "Learning local feature descriptors with triplets" (2016).
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletOptions& options = {});

}  // namespace temper
