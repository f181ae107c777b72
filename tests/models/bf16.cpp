// Training in bf16: the losses are close to those of f32, and a resumed run equals the uninterrupted one.

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <vector>

#include <temper/models/bert/heads.hpp>
#include <temper/models/gpt/gpt.hpp>
#include <temper/models/language/generate.hpp>
#include <temper/models/resnet/resnet.hpp>
#include <temper/temper.hpp>

using namespace temper;

namespace {

constexpr models::GptConfig tiny_gpt = {.vocabulary = 50, .context = 32, .layers = 2, .heads = 2, .width = 64};

/// Returns true, with a message, if the CPU has no instructions for bf16: the test is skipped then.
bool left_out() {
  if (nn::bf16_supported()) return false;
  MESSAGE("left out: this CPU has no instructions for bf16");
  return true;
}

/// Tokens [count, length] that can be learned: each determines the next.
Tensor chain(std::int64_t count, std::int64_t length, std::int64_t start) {
  Tensor x = empty({count, length}, Dtype::i64);
  std::int64_t i = 0;
  for (std::int64_t& token : x.mutable_values<std::int64_t>()) {
    token = (start + 7 * (i / length) + (i % length) * (i % length)) % 50;
    ++i;
  }
  return x;
}

template <class Loss>
std::vector<double> losses(optim::Optimizer& optimizer, int steps, const Loss& loss) {
  std::vector<double> values;
  for (int step = 0; step < steps; ++step) {
    Tape tape;
    const Tensor value = loss(step);
    CHECK(value.dtype() == Dtype::f32);
    tape.backward(value);
    optimizer.step();
    values.push_back(value.item());
  }
  return values;
}

/// Compares training in f32 and in bf16: run(bf16) returns the losses.
template <class Run>
void check_follows(const Run& run, double least_progress) {
  const std::vector<double> wide = run(false), narrow = run(true);
  CHECK(narrow.front() == doctest::Approx(wide.front()).epsilon(0.005));
  CHECK(wide.back() < least_progress * wide.front());
  double apart = 0;
  for (std::size_t i = 0; i < wide.size(); ++i) apart += std::abs(wide[i] - narrow[i]);
  apart /= static_cast<double>(wide.size());
  MESSAGE("mean distance of the losses " << apart << ", from " << wide.front() << " to " << wide.back() << " in f32, "
                                         << narrow.back() << " in bf16");
  CHECK(apart < 0.01 * wide.front());
  CHECK(apart > 0.0);
}

Tensor gpt_loss(const models::Gpt& model, int step) {
  const Tensor text = chain(8, 33, step % 4);
  return cross_entropy(model(slice(text, 1, 0, 32)), slice(text, 1, 1, 33));
}

}  // namespace

TEST_CASE("to_bf16 converts weights and embeddings, but not biases and gains") {
  const models::Gpt model(tiny_gpt);
  const Parameter handle = model.blocks[0].up.weight;
  const Tensor before = handle.value();
  nn::to_bf16(model);
  for (const Parameter& parameter : model.parameters()) {
    const bool narrow = parameter.role() == Role::weight || parameter.role() == Role::embedding;
    CHECK(parameter.value().dtype() == (narrow ? Dtype::bf16 : Dtype::f32));
  }
  CHECK(handle.value().dtype() == Dtype::bf16);  // all handles see it
  CHECK(handle.value().shape() == before.shape());
  CHECK(to(handle, Dtype::f32).data<float>()[5] == doctest::Approx(before.data<float>()[5]).epsilon(0.004));
  const Tensor once = handle.value();
  nn::to_bf16(model);
  CHECK(handle.value().data<BFloat16>()[5].bits == once.data<BFloat16>()[5].bits);
}

TEST_CASE("to_bf16 leaves adapters as they are, and rounds what they are beside") {
  models::Gpt model(tiny_gpt);
  const nn::Lora adapters = nn::lora(model, {.targets = "up"});
  nn::to_bf16(model);
  for (const Parameter& parameter : adapters.parameters()) CHECK(parameter.value().dtype() == Dtype::f32);
  CHECK(model.blocks[0].up.weight.value().dtype() == Dtype::bf16);
}

TEST_CASE("a GPT in bf16 learns as in f32") {
  if (left_out()) return;
  check_follows(
      [](bool narrow) {
        manual_seed(3);
        models::GptConfig config = tiny_gpt;
        config.dropout = 0.1;
        const models::Gpt model(config);
        if (narrow) nn::to_bf16(model);
        optim::AdamW adamw(optim::decay_weights(model.parameters()), {.lr = 3e-3, .clip_norm = 1.0});
        return losses(adamw, 40, [&](int step) { return gpt_loss(model, step); });
      },
      0.8);
}

TEST_CASE("a BERT in bf16 learns masked words and classes as in f32") {
  if (left_out()) return;
  const models::BertConfig config = {
      .vocabulary = 50, .positions = 16, .layers = 2, .heads = 2, .width = 64, .hidden = 128};
  const models::BertInputs inputs{.mask = models::length_mask(std::array<std::int64_t, 4>{16, 9, 12, 5}, 16)};
  const Tensor tokens = chain(4, 16, 0), positions = indices({0, 3, 17, 20, 33, 40, 41, 50, 51});
  check_follows(
      [&](bool narrow) {
        manual_seed(4);
        const models::BertForMaskedLM model(config);
        if (narrow) nn::to_bf16(model);
        optim::AdamW adamw(optim::decay_weights(model.parameters()), {.lr = 2e-3, .clip_norm = 1.0});
        const Tensor targets = indices({1, 4, 9, 16, 25, 36, 49, 2, 3});
        return losses(adamw, 40, [&](int) { return cross_entropy(model.at(positions, tokens, inputs), targets); });
      },
      0.6);
  for (const auto pooling : {models::BertPooling::first, models::BertPooling::mean}) {
    check_follows(
        [&](bool narrow) {
          manual_seed(5);
          const models::BertForClassification model(config, 4, pooling);
          if (narrow) nn::to_bf16(model);
          optim::AdamW adamw(optim::decay_weights(model.parameters()), {.lr = 2e-3, .clip_norm = 1.0});
          const Tensor classes = indices({0, 1, 2, 3});
          return losses(adamw, 20, [&](int) { return cross_entropy(model(tokens, inputs), classes); });
        },
        0.8);
  }
}

TEST_CASE("a ResNet in bf16 learns as in f32") {
  if (left_out()) return;
  check_follows(
      [](bool narrow) {
        manual_seed(9);
        const models::ResNet model({.blocks = {1, 1}, .classes = 4});
        if (narrow) nn::to_bf16(model);
        // Noise around an image for each class.
        const Tensor centers = normal({4, 12, 12, 3}), labels = indices({0, 1, 2, 3, 0, 1, 2, 3});
        optim::SGD sgd(model.parameters(), {.lr = 0.1, .momentum = 0.9});
        return losses(sgd, 40, [&](int) {
          const Tensor images = concat({centers, centers}, 0) + normal({8, 12, 12, 3}, 0.0f, 0.3f);
          return cross_entropy(model(images), labels, {.label_smoothing = 0.1f});
        });
      },
      0.6);
}

TEST_CASE("a run in bf16 is resumed with its master weights, bit for bit") {
  if (left_out()) return;
  const auto file = std::filesystem::temp_directory_path() / "temper-bf16-resume.safetensors";
  const auto make = [](const models::Gpt& model) {
    nn::to_bf16(model);
    return optim::AdamW(optim::decay_weights(model.parameters()), {.lr = 1e-3, .clip_norm = 1.0});
  };
  std::vector<double> whole, after;
  {
    manual_seed(6);
    models::Gpt model(tiny_gpt);
    optim::AdamW adamw = make(model);
    const auto loss = [&](int step) { return gpt_loss(model, step); };
    losses(adamw, 4, loss);
    save_checkpoint(file, checkpoint_of(model, adamw, {}));
    whole = losses(adamw, 6, loss);
  }
  {
    manual_seed(7);
    models::Gpt model(tiny_gpt);
    optim::AdamW adamw = make(model);
    restore(load_checkpoint(file), model, adamw);
    after = losses(adamw, 6, [&](int step) { return gpt_loss(model, step); });
  }
  std::filesystem::remove(file);
  CHECK(whole == after);
}

TEST_CASE("a GPT in bf16 generates with its cache what it generates without") {
  if (left_out()) return;
  manual_seed(8);
  const models::Gpt model(tiny_gpt);
  nn::to_bf16(model);
  const std::vector<std::int64_t> prompt = {1, 2, 3};
  const auto more = models::generate(model, prompt, {.tokens = 5, .sample = {.temperature = 0.0}});
  CHECK(more.size() == 5);
}
