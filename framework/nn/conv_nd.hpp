#pragma once

#include <initializer_list>
#include <string>

#include <temper/autograd/ops/conv_nd.hpp>
#include <temper/autograd/ops/conv_transpose.hpp>
#include <temper/nn/module.hpp>

// Convolutions beside Conv2d. Weights have PyTorch's shapes, names and initialization; channels are the last axis.
// Constructors throw a ValueError unless sizes are positive and `groups` divides both channel counts.

namespace temper::nn {

/// The weight and the bias of the convolutions below, with their initialization and description.
class ConvolutionLayer : public Layer {
 public:
  void members(Members& members) const override;
  std::string description() const override;

  Parameter weight;
  Parameter bias;  ///< undefined without bias

 protected:
  /// The weight is [out, in / groups, kernel...], or [in, out / groups, kernel...] if transposed.
  ConvolutionLayer(const char* name, bool transposed, std::int64_t in, std::int64_t out,
                   std::initializer_list<std::int64_t> kernel, std::int64_t groups, bool with_bias);

 private:
  const char* name_;
  bool transposed_;
  std::int64_t groups_;
};

struct Conv1dLayerOptions {
  std::int64_t kernel = 1, stride = 1;
  Padding padding = {0, 0};  ///< before and after; {dilation * (kernel - 1), 0} is causal
  std::int64_t dilation = 1, groups = 1;
  bool bias = true;
};

/// Convolution of sequences [N, L, in] to [N, L', out]; weight [out, in / groups, k], bias [out].
class Conv1d : public ConvolutionLayer {
 public:
  Conv1d(std::int64_t in, std::int64_t out, Conv1dLayerOptions options);

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  Conv1dLayerOptions options_;
};

struct Conv3dLayerOptions {
  Triple3 kernel = 1, stride = 1, padding = 0, dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// Convolution of volumes [N, D, H, W, in] to [N, D', H', W', out]; weight [out, in / groups, kd, kh, kw], bias [out].
class Conv3d : public ConvolutionLayer {
 public:
  Conv3d(std::int64_t in, std::int64_t out, Conv3dLayerOptions options);

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  Conv3dLayerOptions options_;
};

struct ConvTranspose2dLayerOptions {
  Pair2 kernel = 1, stride = 1, padding = 0, output_padding = 0, dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// Transposed convolution of images [N, H, W, in] to [N, H', W', out]; weight [in, out / groups, kh, kw], bias [out].
class ConvTranspose2d : public ConvolutionLayer {
 public:
  ConvTranspose2d(std::int64_t in, std::int64_t out, ConvTranspose2dLayerOptions options);

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  ConvTranspose2dLayerOptions options_;
};

struct ConvTranspose1dLayerOptions {
  std::int64_t kernel = 1, stride = 1, padding = 0, output_padding = 0, dilation = 1, groups = 1;
  bool bias = true;
};

/// Transposed convolution of sequences [N, L, in] to [N, L', out]; weight [in, out / groups, k], bias [out].
class ConvTranspose1d : public ConvolutionLayer {
 public:
  ConvTranspose1d(std::int64_t in, std::int64_t out, ConvTranspose1dLayerOptions options);

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  ConvTranspose1dLayerOptions options_;
};

}  // namespace temper::nn
