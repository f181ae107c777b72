#include <filesystem>

#include <unistd.h>

#include <temper/autograd/parameter.hpp>
#include <temper/io/checkpoint.hpp>
#include <temper/optim/adam.hpp>

#include "framework/data/file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace temper;

namespace {

struct Model {
  Parameter weight{ones({2, 3}), Role::weight};
  std::vector<Parameter> parameters() const { return {weight.named("weight")}; }
};

/// A folder in memory, one per process.
const std::string& path() {
  static const std::string path = "/dev/shm/temper-fuzz-checkpoint-" + std::to_string(::getpid());
  return path;
}

}  // namespace

/// Tests contents that checksums do not protect: reads the file, writes it again, which makes its checksums valid, and
/// loads it as a checkpoint.
void read(const Input& input) {
  detail::MemorySource source(input.bytes);
  const TensorFile file = detail::read_safetensors(source, {.max_bytes = 1 << 20});
  save_tensors(path(), file.tensors, file.metadata);
  static Model model;
  static optim::AdamW optimizer(model.parameters(), {.lr = 1e-3});
  const Checkpoint checkpoint = load_checkpoint(path());
  restore(checkpoint, model, optimizer);
}
