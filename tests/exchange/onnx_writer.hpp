#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <temper/io/onnx.hpp>
#include <temper/temper.hpp>

#include "tests/exchange/exchange.hpp"

namespace temper::exchange {

using Inputs = std::vector<OnnxInput>;
using Given = std::vector<Tensor>;

/// Writes models in ONNX format, with what they give.
class Writer {
 public:
  explicit Writer(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Exports a program by the first two examples of its inputs, and records what it gives for all of them, and for one.
  template <class M>
  void write(const std::string& name, const M& model, const Inputs& inputs, const OnnxProgram& program,
             const OnnxOptions& options = {}) const {
    const auto examples = [&](std::int64_t count) {
      Inputs some = inputs;
      for (OnnxInput& input : some) {
        if (input.batched) input.example = input.example.rows(0, count).clone();
      }
      return some;
    };
    std::filesystem::create_directories(folder_);
    export_onnx(folder_ / (name + ".onnx"), model, examples(2), program, options);
    Tensors recorded;
    for (const std::int64_t count : {1, 2, 5}) {
      Given given;
      const std::string run = std::to_string(count);
      for (const auto& [input, example, batched] : examples(count)) {
        given.push_back(example);
        recorded.emplace(run + ".in." + input, example);
      }
      const std::vector<Tensor> outputs = program(given);
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        recorded.emplace(run + ".out." + std::to_string(i),
                         to(outputs[i], outputs[i].dtype() == Dtype::bf16 ? Dtype::f32 : outputs[i].dtype()));
      }
    }
    save_tensors(folder_ / (name + ".safetensors"), recorded);
  }

  void write(const std::string& name, const nn::Layer& layer, const Tensor& examples,
             const OnnxOptions& options = {}) const {
    write(
        name, layer, {{"input", examples}}, [&](const Given& in) { return Given{layer(in[0])}; }, options);
  }

  /// Of a program that has no model.
  void write(const std::string& name, const Inputs& inputs, const OnnxProgram& program) const {
    write(name, Tensors{}, inputs, program);
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace temper::exchange
