// A resumed run is bit for bit the uninterrupted one, and each part of the checkpoint is needed for that.

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/nn/linear.hpp>
#include <temper/optim/sgd.hpp>

#include "tests/data/files.hpp"
#include "tests/io/tiny_run.hpp"

using namespace temper;
using temper_test::Folder;
using temper_test::TinyRun;

namespace {

constexpr std::uint64_t seed = 7, other_seed = 8;

std::string uninterrupted() {
  TinyRun run(seed);
  run.run(TinyRun::steps);
  return run.bytes();
}

/// A run resumed from its checkpoint after `at` steps, as changed by `change`.
std::string interrupted(Step at, const std::function<void(Checkpoint&)>& change = {}) {
  const Folder folder;
  {
    TinyRun run(seed);
    run.run(at);
    save_checkpoint(folder / "c", run.checkpoint());
  }
  Checkpoint checkpoint = load_checkpoint(folder / "c");
  if (change) change(checkpoint);
  TinyRun run(other_seed);
  run.resume(checkpoint);
  run.run(TinyRun::steps - at);
  return run.bytes();
}

void zero(Checkpoint& checkpoint, std::string_view suffix) {
  for (auto& [name, tensor] : checkpoint.optimizer.tensors) {
    if (name.ends_with(suffix)) tensor = zeros(tensor.shape(), tensor.dtype());
  }
}

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const FileError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a run resumed at any step ends with the bytes of the uninterrupted one") {
  const std::string whole = uninterrupted();
  CHECK(uninterrupted() == whole);
  for (Step at = 1; at < TinyRun::steps; ++at) {
    CAPTURE(at);
    CHECK(interrupted(at) == whole);
  }
}

TEST_CASE("a run resumed without one part of its state ends with other bytes") {
  const std::string whole = uninterrupted();
  const std::vector<std::pair<const char*, std::function<void(Checkpoint&)>>> parts = {
      {"moments", [](Checkpoint& c) { zero(c, "/exp_avg"); }},
      {"second moments", [](Checkpoint& c) { zero(c, "/exp_avg_sq"); }},
      {"k", [](Checkpoint& c) { c.optimizer.texts["k"] = "0"; }},
      {"journal", [](Checkpoint& c) { c.optimizer.texts["journal"] = ""; }},
      {"averages", [](Checkpoint& c) { zero(c, "/average"); }},
      {"samples of the averages", [](Checkpoint& c) { c.optimizer.texts["samples"] = "0"; }},
      {"training tapes", [](Checkpoint& c) { c.random.tapes = 0; }},
      {"seed", [](Checkpoint& c) { c.random.seed = other_seed; }},
      {"batch", [](Checkpoint& c) { c.loader.batch = 0; }},
      {"epoch", [](Checkpoint& c) { c.loader.epoch = 1; }},
      {"seed of the order", [](Checkpoint& c) { c.loader.seed = other_seed; }},
      {"running statistics",
       [](Checkpoint& c) {
         for (auto& [name, tensor] : c.model) {
           if (name.ends_with("running_mean")) tensor = zeros(tensor.shape());
         }
       }},
  };
  // After 7 steps, in the middle of the second epoch.
  REQUIRE(interrupted(7) == whole);
  for (const auto& entry : parts) {
    const auto& [name, drop] = entry;
    CAPTURE(entry.first);
    CHECK(interrupted(7, drop) != whole);
  }
}

TEST_CASE("a checkpoint's environment and notes are restored") {
  const Folder folder;
  TinyRun run(seed);
  run.run(2);
  Checkpoint checkpoint = run.checkpoint();
  checkpoint.environment = {{"threads", "2"}};
  checkpoint.notes = {{"best", "0.5"}, {"", "an empty key"}};
  save_checkpoint(folder / "c", checkpoint);
  const Checkpoint loaded = load_checkpoint(folder / "c");
  CHECK(loaded.environment == checkpoint.environment);
  CHECK(loaded.notes == checkpoint.notes);
  CHECK(loaded.random == checkpoint.random);
  CHECK(loaded.loader == checkpoint.loader);
  CHECK(loaded.optimizer.texts == checkpoint.optimizer.texts);
}

TEST_CASE("a checkpoint that does not fit is refused with all that is wrong, and nothing changes") {
  TinyRun source(seed);
  source.run(3);
  Checkpoint checkpoint = source.checkpoint();
  const std::string weight = "5.weight", bias = "5.bias";
  REQUIRE(checkpoint.model.contains(weight));
  checkpoint.model.erase(weight);
  checkpoint.model["head"] = zeros({2});
  checkpoint.model[bias] = zeros({4});
  checkpoint.optimizer.tensors.erase(bias + "/exp_avg");
  checkpoint.optimizer.tensors[weight + "/exp_avg_sq"] = zeros({1});
  checkpoint.optimizer.texts["k"] = "-1";
  TinyRun target(other_seed);
  target.run(1);
  const std::string before = target.bytes();
  const RandomState random = random_state();
  const std::string error = error_of([&] { target.resume(checkpoint); });
  for (const char* part :
       {"missing: 5.weight", "not expected: head", "different: 5.bias", "missing: 5.bias/exp_avg f32 [3]",
        "5.weight/exp_avg_sq: got f32 [1], expected f32 [3, 64]", "k is '-1'"}) {
    CAPTURE(part);
    CHECK(error.find(part) != std::string::npos);
  }
  CHECK(target.bytes() == before);
  CHECK(random_state() == random);
}

TEST_CASE("a state that cannot be resumed is not saved, and does not replace an older checkpoint") {
  const Folder folder;
  const CheckpointFolder checkpoints(folder / "checkpoints");
  TinyRun run(seed);
  run.run(2);
  checkpoints.save(run.checkpoint());
  checkpoints.save(run.checkpoint());
  for (const auto& [value, dtype] : {std::pair(INFINITY, Dtype::f32), std::pair(-1.0f, Dtype::bf16)}) {
    Checkpoint spoilt = run.checkpoint();
    const NoTape pause;
    spoilt.optimizer.tensors["5.bias/exp_avg_sq"] = to(full({3}, value), dtype);
    try {
      checkpoints.save(spoilt);
      FAIL_CHECK("was saved");
    } catch (const ValueError& error) {
      CAPTURE(error.what());
      CHECK(std::string(error.what()).find("the optimizer's state is not finite") != std::string::npos);
      CHECK(std::string(error.what()).find("5.bias/exp_avg_sq holds ") != std::string::npos);
    }
    CHECK(checkpoints.load().damaged.empty());
  }
}

TEST_CASE("a checkpoint is refused while parameters have gradients, which it does not hold") {
  Parameter p = Parameter(ones({2}), Role::weight).named("layer.p");
  nn::Linear model(2, 2);
  const optim::SGD sgd({p}, {.lr = 0.1});
  CHECK(checkpoint_of(model, sgd, {}).optimizer.texts.contains("k"));
  p.set_gradient(ones({2}));
  CHECK_THROWS_WITH_AS(
      checkpoint_of(model, sgd, {}),
      "checkpoint: the gradient of 'layer.p' waits for a step, and a checkpoint holds no gradients; make it "
      "after SGD's step(), or after discard_gradients()",
      ValueError);
}

TEST_CASE("a schedule that was changed is refused, with the values before and after") {
  TinyRun source(seed);
  source.run(3);
  Checkpoint checkpoint = source.checkpoint();
  checkpoint.optimizer.texts["group 0/lr"] = "0.5";
  TinyRun target(seed);
  CHECK(error_of([&] { target.resume(checkpoint); }).find("group 0/lr was '0.5', is '0.01 * warmup(3)") !=
        std::string::npos);
}

TEST_CASE("invalid checkpoints are refused, each with its error") {
  const Folder folder;
  TinyRun run(seed);
  run.run(2);
  save_checkpoint(folder / "good", run.checkpoint());
  const TensorFile good = load_tensors(folder / "good");
  const auto refused = [&](const std::function<void(TensorFile&)>& change) {
    TensorFile file = good;
    change(file);
    save_tensors(folder / "c", file.tensors, file.metadata);
    return error_of([&] { load_checkpoint(folder / "c"); });
  };
  const auto contains = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const auto set_value = [](Tensor& tensor, float value) {
    tensor = tensor.clone();
    tensor.mutable_values<float>()[1] = value;
  };

  CHECK(refused([](TensorFile&) {}) == "no error");
  CHECK(contains(refused([](TensorFile& f) { f.metadata.erase("temper.checkpoint"); }), "not a checkpoint"));
  CHECK(contains(refused([](TensorFile& f) { f.metadata["temper.checkpoint"] = "2"; }), "a checkpoint of format 2"));
  for (const char* bad : {"", "1 2", "1 2 x", "1 2 3 4", "-1 2 3", "1.5 2 3"}) {
    CAPTURE(bad);
    CHECK(contains(refused([&](TensorFile& f) { f.metadata["random"] = bad; }), "random is '"));
    CHECK(contains(refused([&](TensorFile& f) { f.metadata["loader"] = bad; }), "loader is '"));
  }
  CHECK(contains(refused([](TensorFile& f) { f.metadata["loader"] = "0 0 0"; }), "loader is '0 0 0'"));
  CHECK(contains(refused([](TensorFile& f) { f.tensors["extra"] = zeros({1}); }), "tensor 'extra' belongs to nothing"));
  const std::string moment = "optimizer/5.bias/exp_avg", square = "optimizer/5.bias/exp_avg_sq";
  CHECK(
      contains(refused([&](TensorFile& f) { set_value(f.tensors.at(square), -1.0f); }), "5.bias/exp_avg_sq holds -1"));
  CHECK(contains(refused([&](TensorFile& f) { set_value(f.tensors.at(square), INFINITY); }), "exp_avg_sq holds inf"));
  CHECK(contains(refused([&](TensorFile& f) { set_value(f.tensors.at(moment), NAN); }), "5.bias/exp_avg holds nan"));
  // Both at once, in one error.
  const std::string both = refused([&](TensorFile& f) {
    f.metadata["random"] = "x";
    set_value(f.tensors.at(square), -1.0f);
  });
  CHECK(contains(both, "random is 'x'"));
  CHECK(contains(both, "exp_avg_sq holds -1"));

  // A flipped bit, and a file without checksums.
  std::string bytes = Folder::read(folder / "good");
  bytes[bytes.size() - 100] = static_cast<char>(bytes[bytes.size() - 100] ^ 4);
  folder.write("flipped", bytes);
  CHECK(contains(error_of([&] { load_checkpoint(folder / "flipped"); }), "checksum_mismatch: tensor '"));
  bytes = Folder::read(folder / "good");
  for (std::size_t at = 0; (at = bytes.find("temper.crc32", at)) != std::string::npos; ++at) bytes[at] = 'T';
  folder.write("unchecked", bytes);
  CHECK(contains(error_of([&] { load_checkpoint(folder / "unchecked"); }), "checksum_missing: "));
}
