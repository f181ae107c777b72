// The memory of fine-tuning GPT-2 of 124 million parameters: all of it in f32, or adapters (LoRA) on a frozen model in
// f32 and in bf16. Usage: overheads-adapters [TEXTS] [TOKENS]
// Where the CPU has no instructions for bf16, that line is computed: it is what f32 takes, with 2 bytes less for each
// weight and embedding. Activations, which are then bf16 as well, would make it less.

#include <cstdio>
#include <cstdlib>

#include <temper/models/gpt/gpt.hpp>
#include <temper/temper.hpp>

using namespace temper;

namespace {

constexpr double mib = 1 << 20;

/// The peak of the pool in MiB while a model of random weights trains for three steps.
double peak(bool adapters, bool bf16, std::int64_t texts, std::int64_t tokens) {
  manual_seed(1);
  models::Gpt model(models::gpt2_124m());
  if (bf16) nn::to_bf16(model);
  trim_pool();
  reset_pool_peak();  // a model of f32 was there before one of bf16
  const std::vector<Parameter> trained =
      adapters ? nn::lora(model, {.rank = 8, .alpha = 16, .targets = "*"}).parameters() : model.parameters();
  optim::AdamW adamw(trained, {.lr = 2e-4});
  Tensor ids = empty({texts, tokens}, Dtype::i64);
  for (std::int64_t i = 0; i < ids.numel(); ++i) ids.mutable_data<std::int64_t>()[i] = i * 7919 % model.vocabulary();
  for (int step = 0; step < 3; ++step) {
    Tape tape;
    tape.backward(cross_entropy(model(ids), ids));
    adamw.step();
  }
  return static_cast<double>(pool_stats().peak) / mib;
}

/// The MiB that the model takes less in bf16.
double saved_by_bf16() {
  double bytes = 0;
  for (const Parameter& parameter : models::Gpt(models::gpt2_124m()).parameters()) {
    const bool narrow = parameter.role() == Role::weight || parameter.role() == Role::embedding;
    if (narrow) bytes += 2 * static_cast<double>(parameter.value().numel());
  }
  return bytes / mib;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t texts = argc > 1 ? std::atoll(argv[1]) : 4, tokens = argc > 2 ? std::atoll(argv[2]) : 128;
  const double all = peak(false, false, texts, tokens);
  std::printf("GPT-2 of 124 million parameters, AdamW, %lld texts of %lld tokens: MiB at the peak\n",
              static_cast<long long>(texts), static_cast<long long>(tokens));
  std::printf("  all parameters, f32               %7.0f\n", all);
  const auto line = [&](const char* what, double some, const char* how) {
    std::printf("  adapters of rank 8, model in %-4s  %7.0f   %.0f %%%s\n", what, some, 100 * some / all, how);
  };
  const double some = peak(true, false, texts, tokens);
  line("f32", some, "");
  if (nn::bf16_supported()) {
    line("bf16", peak(true, true, texts, tokens), "");
  } else {
    line("bf16", some - saved_by_bf16(), "   (computed: this CPU has no instructions for bf16)");
  }
}
