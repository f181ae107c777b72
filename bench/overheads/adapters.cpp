// The memory of fine-tuning GPT-2 of 124 million parameters: all of it in f32, or adapters (LoRA) on a frozen model in
// f32 and in bf16. Usage: overheads-adapters [TEXTS] [TOKENS]

#include <cstdio>
#include <cstdlib>

#include <temper/models/gpt/gpt.hpp>
#include <temper/temper.hpp>

using namespace temper;

namespace {

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
  return static_cast<double>(pool_stats().peak) / (1 << 20);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t texts = argc > 1 ? std::atoll(argv[1]) : 4, tokens = argc > 2 ? std::atoll(argv[2]) : 128;
  const double all = peak(false, false, texts, tokens);
  std::printf("GPT-2 of 124 million parameters, AdamW, %lld texts of %lld tokens: MiB at the peak\n",
              static_cast<long long>(texts), static_cast<long long>(tokens));
  std::printf("  all parameters, f32               %7.0f\n", all);
  for (const bool bf16 : {false, true}) {
    const double some = peak(true, bf16, texts, tokens);
    std::printf("  adapters of rank 8, model in %s  %7.0f   %.0f %%\n", bf16 ? "bf16" : "f32 ", some, 100 * some / all);
  }
}
