// From the third step on, a training step does not call operator new on the training thread. The replaced operators
// count the calls of threads that enabled it, except those from inside oneDNN.

#include <doctest/doctest.h>
#include <link.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include <temper/core/pool.hpp>
#include <temper/models/bert/heads.hpp>
#include <temper/models/cnn/cnn.hpp>
#include <temper/models/gpt/gpt.hpp>
#include <temper/models/resnet/resnet.hpp>
#include <temper/temper.hpp>

namespace {

thread_local bool counting = false;
thread_local long ours = 0, onednn = 0;
std::uintptr_t onednn_begin = 0, onednn_end = 0;

void find_onednn() {
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void*) {
        if (std::strstr(info->dlpi_name, "libdnnl") == nullptr) return 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& header = info->dlpi_phdr[i];
          if (header.p_type != PT_LOAD) continue;
          const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
          if (onednn_begin == 0 || begin < onednn_begin) onednn_begin = begin;
          if (begin + header.p_memsz > onednn_end) onednn_end = begin + header.p_memsz;
        }
        return 1;
      },
      nullptr);
}

void* counted(std::size_t bytes, std::size_t alignment, const void* caller) {
  if (counting) {
    const auto address = reinterpret_cast<std::uintptr_t>(caller);
    ++(address >= onednn_begin && address < onednn_end ? onednn : ours);
  }
  void* block = nullptr;
  if (posix_memalign(&block, alignment < sizeof(void*) ? sizeof(void*) : alignment, bytes) != 0) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, 16, __builtin_return_address(0)); }
void* operator new[](std::size_t bytes) { return counted(bytes, 16, __builtin_return_address(0)); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {  // the sanitizers have their own
  return counted(bytes, 16, __builtin_return_address(0));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

using namespace temper;

namespace {

/// Images and labels computed from their index.
struct MadeUp {
  std::int64_t size() const { return 16 * 12; }
  std::array<Tensor, 2> get(std::int64_t i) const {
    Tensor label = empty({}, Dtype::i64);
    *label.mutable_data<std::int64_t>() = i % 10;
    return {full({28, 28, 1}, static_cast<float>(i % 7)), label};
  }
};

}  // namespace

TEST_CASE("a CNN training step allocates nothing from the third step on") {
  find_onednn();
  REQUIRE(onednn_end > onednn_begin);
  const nn::Sequential model = models::cnn();
  data::Loader loader(MadeUp(), {.batch_size = 16, .shuffle = true});
  optim::AdamW adamw(model.parameters(),
                     {.lr = 1e-3 * optim::warmup(3).then(optim::linear_decay(10)), .clip_norm = 1.0});
  int step = 0;
  std::uint64_t requests = 0;
  std::size_t live = 0;
  for (const auto& [images, labels] : progress(loader, "steps")) {
    if (step == 2) {
      requests = pool_stats().system_requests;
      counting = true;
    }
    {
      Tape tape;
      const Tensor loss = cross_entropy(model(images), labels);
      tape.backward(loss);
      adamw.step();
    }
    if (++step == 3) live = pool_stats().live;
  }
  counting = false;
  CHECK(step == 12);
  CHECK(ours == 0);
  MESSAGE("oneDNN itself: " << onednn << " allocations in 10 steps");
  // The pool, which loader threads use too, grows by no more than the batches that are prefetched.
  CHECK(pool_stats().system_requests <= requests + 16);
  CHECK(pool_stats().live <= live + (std::size_t{1} << 20));
}

namespace {

/// The number of allocations on this thread in steps three to eight.
template <class Loss>
long allocations(optim::Optimizer& optimizer, const Loss& loss) {
  find_onednn();
  ours = 0;
  for (int step = 0; step < 8; ++step) {
    counting = step >= 2;
    Tape tape;
    tape.backward(loss());
    optimizer.step();
  }
  counting = false;
  return ours;
}

Tensor numbers(const Shape& shape, std::int64_t below) {
  Tensor x = arange(shape.numel()).view(shape);
  for (std::int64_t& i : x.mutable_values<std::int64_t>()) i %= below;
  return x;
}

}  // namespace

TEST_CASE("a GPT training step allocates nothing from the third step on") {
  const models::Gpt model({.vocabulary = 50, .context = 32, .layers = 2, .heads = 2, .width = 32, .dropout = 0.1});
  const Tensor tokens = numbers({8, 32}, 50);
  optim::AdamW adamw(optim::decay_weights(model.parameters()), {.clip_norm = 1.0});
  CHECK(allocations(adamw, [&] { return cross_entropy(model(tokens), tokens); }) == 0);
}

TEST_CASE("a GPT training step with recomputation allocates nothing from the third step on") {
  const models::Gpt model(
      {.vocabulary = 50, .context = 32, .layers = 2, .heads = 2, .width = 32, .dropout = 0.1, .recompute = true});
  const Tensor tokens = numbers({8, 32}, 50);
  optim::AdamW adamw(optim::decay_weights(model.parameters()), {.clip_norm = 1.0});
  CHECK(allocations(adamw, [&] { return cross_entropy(model(tokens), tokens); }) == 0);
}

TEST_CASE("a ResNet training step allocates nothing from the third step on") {
  const models::ResNet model(models::resnet_cifar(8));
  const Tensor images = normal({4, 32, 32, 3}), labels = numbers({4}, 10);
  optim::SGD sgd(model.parameters(), {.lr = 0.1, .momentum = 0.9, .l2 = 5e-4});
  CHECK(allocations(sgd, [&] { return cross_entropy(model(images), labels, {.label_smoothing = 0.1f}); }) == 0);
}

TEST_CASE("a masked-LM training step of BERT allocates nothing from the third step on") {
  const models::BertForMaskedLM model(
      {.vocabulary = 50, .positions = 16, .layers = 2, .heads = 2, .width = 32, .hidden = 64});
  const Tensor tokens = numbers({4, 16}, 50), positions = numbers({9}, 64), targets = numbers({9}, 50);
  const models::BertInputs inputs{.mask = models::length_mask(std::array<std::int64_t, 4>{16, 9, 12, 5}, 16)};
  optim::AdamW adamw(optim::decay_weights(model.parameters()), {.clip_norm = 1.0});
  CHECK(allocations(adamw, [&] { return cross_entropy(model.at(positions, tokens, inputs), targets); }) == 0);
}

TEST_CASE("a training step in bf16 allocates nothing from the third step on") {
  if (!nn::bf16_supported()) {
    MESSAGE("left out: this CPU has no instructions for bf16");
    return;
  }
  const models::Gpt gpt({.vocabulary = 50, .context = 32, .layers = 2, .heads = 2, .width = 32, .dropout = 0.1});
  nn::to_bf16(gpt);
  const Tensor text = numbers({8, 32}, 50);
  optim::AdamW for_gpt(optim::decay_weights(gpt.parameters()), {.clip_norm = 1.0});
  CHECK(allocations(for_gpt, [&] { return cross_entropy(gpt(text), text); }) == 0);

  const models::BertForMaskedLM bert(
      {.vocabulary = 50, .positions = 16, .layers = 2, .heads = 2, .width = 32, .hidden = 64});
  nn::to_bf16(bert);
  const Tensor tokens = numbers({4, 16}, 50), positions = numbers({9}, 64), targets = numbers({9}, 50);
  optim::AdamW for_bert(optim::decay_weights(bert.parameters()), {.clip_norm = 1.0});
  CHECK(allocations(for_bert, [&] { return cross_entropy(bert.at(positions, tokens), targets); }) == 0);
}
