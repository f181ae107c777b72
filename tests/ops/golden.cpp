#include "tests/ops/golden.hpp"

#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>

namespace temper::test {

namespace {

struct File {
  std::map<std::string, Tensor> tensors;
  nlohmann::json metadata;
};

Dtype dtype_of_name(const std::string& name) {
  if (name == "F32") return Dtype::f32;
  if (name == "I64") return Dtype::i64;
  if (name == "BOOL") return Dtype::boolean;
  throw std::runtime_error("ops.safetensors holds a tensor of " + name);
}

File read(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  stream.exceptions(std::ios::failbit | std::ios::badbit);
  std::uint64_t length = 0;
  stream.read(reinterpret_cast<char*>(&length), sizeof length);
  std::string text(length, ' ');
  stream.read(text.data(), static_cast<std::streamsize>(length));

  File file;
  const nlohmann::json header = nlohmann::json::parse(text);
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      file.metadata = entry;
      continue;
    }
    const auto sizes = entry["shape"].get<std::vector<std::int64_t>>();
    const std::vector<std::int64_t> range = entry["data_offsets"];
    Tensor tensor = empty(Shape(sizes), dtype_of_name(entry["dtype"]));
    std::vector<char> bytes(static_cast<std::size_t>(range[1] - range[0]));
    stream.seekg(static_cast<std::streamoff>(sizeof length + length) + range[0]);
    stream.read(bytes.data(), range[1] - range[0]);
    void* elements = tensor.dtype() == Dtype::f32   ? static_cast<void*>(tensor.mutable_data<float>())
                     : tensor.dtype() == Dtype::i64 ? static_cast<void*>(tensor.mutable_data<std::int64_t>())
                                                    : tensor.mutable_data<bool>();
    if (!bytes.empty()) std::memcpy(elements, bytes.data(), bytes.size());
    file.tensors[name] = tensor;
  }
  return file;
}

std::vector<GoldenCase> load() {
  const File file = read(TEMPER_TEST_DIR "/golden/ops.safetensors");
  std::vector<GoldenCase> cases;
  for (const nlohmann::json& entry : nlohmann::json::parse(file.metadata["cases"].get<std::string>())) {
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
  return cases;
}

}  // namespace

const std::vector<GoldenCase>& golden_cases() {
  static const std::vector<GoldenCase> cases = load();
  return cases;
}

}  // namespace temper::test
