#include "tests/ops/golden.hpp"

#include <temper/io/safetensors.hpp>

namespace temper::test {

namespace {

void load(const char* path, std::vector<GoldenCase>& cases) {
  const TensorFile file = load_tensors(path);
  for (const nlohmann::json& entry : nlohmann::json::parse(file.metadata.at("cases"))) {
    const std::string op = entry["op"];
    const int number = cases.empty() || cases.back().op != op ? 0 : cases.back().number + 1;
    const auto tensors = [&](const char* kind, int count) {
      std::vector<Tensor> result;
      for (int i = 0; i < count; ++i) {
        const auto found = file.tensors.find(op + "/" + std::to_string(number) + "/" + kind + std::to_string(i));
        result.push_back(found == file.tensors.end() ? Tensor() : found->second);
      }
      return result;
    };
    const int inputs = entry["inputs"], outputs = entry["outputs"];
    cases.push_back({op, number, entry["attributes"], tensors("x", inputs), tensors("y", outputs),
                     tensors("r", outputs), tensors("dx", inputs)});
  }
}

}  // namespace

const std::vector<GoldenCase>& golden_cases() {
  static const std::vector<GoldenCase> cases = [] {
    std::vector<GoldenCase> all;
    for (const char* path :
         {TEMPER_TEST_DIR "/golden/ops.safetensors", TEMPER_TEST_DIR "/golden/ops_layers.safetensors",
          TEMPER_TEST_DIR "/golden/ops_elements.safetensors", TEMPER_TEST_DIR "/golden/ops_losses.safetensors",
          TEMPER_TEST_DIR "/golden/ops_images.safetensors"}) {
      load(path, all);
    }
    return all;
  }();
  return cases;
}

}  // namespace temper::test
