#pragma once

// What LibTorch's programs of the comparison share.

#include <dlfcn.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "bench/compare/workload.hpp"

namespace workload {

/// Sets LibTorch's threads to OMP_NUM_THREADS: it uses one by default.
inline int set_threads() {
  const char* wanted = std::getenv("OMP_NUM_THREADS");
  const int threads = wanted != nullptr ? std::atoi(wanted) : 2;
  at::set_num_threads(threads);
  return threads;
}

inline std::string setting(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "unset";
}

inline Facts torch_facts() {
  const auto name = reinterpret_cast<const char* (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_corename"));
  const auto config = reinterpret_cast<const char* (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_config"));
  const auto oneDNN = reinterpret_cast<const int* (*)()>(dlsym(RTLD_DEFAULT, "dnnl_version"));
  std::string dnnl = "none";
  if (oneDNN != nullptr) {
    const int* version = oneDNN();
    dnnl = std::to_string(version[0]) + "." + std::to_string(version[1]) + "." + std::to_string(version[2]);
  }
  std::string capability = at::show_config();
  const auto at = capability.find("CPU capability usage: ");
  capability = at == std::string::npos ? "unknown" : capability.substr(at + 22, capability.find('\n', at) - at - 22);
  return {{"torch", TORCH_VERSION},
          {"threads", std::to_string(at::get_num_threads())},
          {"instruction set", capability},
          {"oneDNN", dnnl},
          {"BLAS core", name != nullptr ? std::string("OpenBLAS ") + name() : "no OpenBLAS"},
          {"BLAS", config != nullptr ? config() : "unknown"}};
}

/// The same values as set_parameters() of temper_side.hpp.
inline void set_parameters(const std::vector<torch::Tensor>& parameters) {
  torch::NoGradGuard pause;
  for (std::size_t s = 0; s < parameters.size(); ++s) {
    const torch::Tensor& value = parameters[s];
    const auto fan_in = static_cast<float>(value.numel() / value.size(0));
    const float scale = value.dim() > 1 ? 1.0f / std::sqrt(fan_in) : 0.1f;
    torch::Tensor plain = torch::empty(value.sizes());
    for (long i = 0; i < plain.numel(); ++i) plain.data_ptr<float>()[i] = noise(s, i, scale);
    value.detach().copy_(plain);
  }
}

inline std::vector<torch::Tensor> make_labels(at::IntArrayRef shape, long classes, long labelled) {
  std::vector<torch::Tensor> sets;
  for (int s = 0; s < label_sets; ++s) {
    sets.push_back(torch::empty(shape, torch::kLong));
    auto* elements = sets.back().data_ptr<std::int64_t>();
    for (long i = 0; i < sets.back().numel(); ++i) elements[i] = masked_label(s, i, classes, labelled);
  }
  return sets;
}

inline std::vector<torch::Tensor> make_ids(const Options& options) {
  std::vector<torch::Tensor> sets;
  for (int s = 0; s < input_sets; ++s) {
    sets.push_back(torch::empty({options.batch, options.context}, torch::kLong));
    auto* elements = sets.back().data_ptr<std::int64_t>();
    for (long i = 0; i < sets.back().numel(); ++i) elements[i] = label(input_stream + s, i, options.vocabulary);
  }
  return sets;
}

/// Attention of projections [N, T, 3 E] to [N, T, E]. `mask` [T, T] is added to the scores. baddbmm, which includes the
/// scaling, is the fastest way in this version.
inline torch::Tensor attention(const torch::Tensor& projected, long heads, const torch::Tensor& mask) {
  const long n = projected.size(0), t = projected.size(1), features = projected.size(2) / 3, d = features / heads;
  const torch::Tensor qkv = projected.view({n, t, 3, heads, d}).permute({2, 0, 3, 1, 4}).reshape({3, n * heads, t, d});
  const double scale = 1.0 / std::sqrt(double(d));
  const torch::Tensor keys = qkv[1].transpose(1, 2);
  const torch::Tensor scores =
      mask.defined() ? torch::baddbmm(mask.unsqueeze(0), qkv[0], keys, 1.0, scale) : torch::bmm(qkv[0], keys) * scale;
  const torch::Tensor y = torch::bmm(torch::softmax(scores, -1), qkv[2]);
  return y.view({n, heads, t, d}).transpose(1, 2).reshape({n, t, features});
}

/// Times training steps of a classifier, which use the sets of inputs and labels in turn. Labels have `labels_shape`,
/// by default [batch]. About `labelled` of 20 positions have a label; the others are ignored by the loss.
template <class Model>
void run_classifier(const Options& options, double flops, Model& model, const std::vector<torch::Tensor>& inputs,
                    long classes, const std::vector<std::int64_t>& labels_shape = {}, long labelled = 20) {
  set_parameters(model->parameters());
  if (options.channels_last) {
    for (auto& parameter : model->parameters()) {
      if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
  const auto labels =
      make_labels(labels_shape.empty() ? std::vector<std::int64_t>{options.batch} : labels_shape, classes, labelled);
  std::vector<torch::Tensor> parameters = model->parameters();
  torch::optim::AdamW adamw(parameters, torch::optim::AdamWOptions(1e-3).weight_decay(0.01));
  run(
      options, flops, torch_facts(),
      [&](long i) {
        // As zero_grad(set_to_none=True), which is faster than this version's default of writing zeros.
        for (auto& parameter : parameters) parameter.mutable_grad().reset();
        torch::Tensor loss = torch::nn::functional::cross_entropy(
            model->forward(inputs[i % input_sets]).view({-1, classes}), labels[i % label_sets].view(-1));
        loss.backward();
        adamw.step();
        return loss;
      },
      [](const torch::Tensor& loss) { return loss.item<double>(); });
}

}  // namespace workload
