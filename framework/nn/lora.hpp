#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <temper/nn/linear.hpp>

namespace temper::nn {

struct LoraOptions {
  std::int64_t rank = 8;  ///< features between A and B
  double alpha = 16.0;    ///< the update is scaled by alpha / rank
  double dropout = 0.0;   ///< probability with which an adapter's inputs are dropped in training
  /// Which Linears to adapt: patterns, separated by |, of their names or the last parts of these, in which * stands for
  /// any characters and ? for one. "*" is all.
  std::string targets = "q_proj|v_proj";
  bool rank_stabilized = false;  ///< scale by alpha / sqrt(rank), as PEFT's use_rslora
};

/// The adapters of a model, made by lora(): what to optimize, and to save.
class Lora {
 public:
  /// A [rank, in] and B [out, rank] of each adapted Linear, f32, named "blocks.0.attention.q_proj.lora_A.weight".
  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// The names of the adapted Linears.
  const std::vector<std::string>& targets() const { return targets_; }

 private:
  friend Lora lora(Module& model, const LoraOptions& options);
  std::vector<Parameter> parameters_;
  std::vector<std::string> targets_;
};

/// Freezes a model and gives the Linears that are named a low-rank update each, which alone is trained from then on:
/// W x + b + scale * B A x, with A random and B zero, so that the model computes what it did. What is frozen, f32 or
/// bf16, gets no gradient, and no moments from an optimizer of the adapters' parameters:
///
///     const nn::Lora adapters = nn::lora(model, {.rank = 8, .alpha = 16, .targets = "q_proj|v_proj"});
///     optim::AdamW adamw(adapters.parameters(), {.lr = 2e-4});
///     ...
///     save("adapters.safetensors", adapters);  // and load, checkpoint_of, restore: the adapters without the model
///     nn::merge_lora(model);
///
/// In a bf16 model, A and B are f32 and rounded when they are used.
/// Throws: ValueError for options out of range, a pattern that fits no Linear (the text names those there are), a
/// Linear that has an adapter, and two that share their weight; the model is left as it was. Source: Hu et al., "LoRA:
/// low-rank adaptation of large language models" (2021); of rank_stabilized: Kalajdzievski, "A rank stabilization
/// scaling factor for fine-tuning with LoRA" (2023).
Lora lora(Module& model, const LoraOptions& options = {});

/// Adds the adapters of a model to its weights, in f32 and rounded once, and removes them. The weights stay frozen.
void merge_lora(Module& model);

}  // namespace temper::nn
