// A GPT on random tokens: learned positions, pre-norm, GELU, the head tied to the embedding.

#include <temper/models/gpt/gpt.hpp>

#include "bench/compare/temper_side.hpp"

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    const temper::models::Gpt model({.vocabulary = options.vocabulary,
                                     .context = options.context,
                                     .layers = options.layers,
                                     .heads = options.heads,
                                     .width = options.width,
                                     .recompute = options.recompute});
    const auto ids = workload::make_ids(options);
    workload::run_classifier(options, workload::transformer_flops(options, true), model, ids, options.vocabulary,
                             {options.batch, options.context});
  });
}
