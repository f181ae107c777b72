#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <temper/io/save.hpp>
#include <temper/nn/module.hpp>

namespace temper {

/// A tensor that a program takes.
struct OnnxInput {
  std::string name;     ///< in the file
  Tensor example;       ///< which says the dtype and the sizes
  bool batched = true;  ///< the first axis is that of the examples, of which a run may have any number
};

struct OnnxOptions {
  std::vector<std::string> outputs = {};  ///< their names; by default "output", or "output_0", "output_1", ...
  /// Larger models have their tensors in a file beside it, `path` + ".data": files of the format end at 2 GiB.
  std::uint64_t max_bytes = (std::uint64_t{1} << 31) - (std::uint64_t{1} << 20);
};

/// What a program computes of its inputs, in the order of the OnnxInputs.
using OnnxProgram = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

/// Writes what a program computes in evaluation as a model in ONNX format (opset 17), for ONNX Runtime and others:
///
///     export_onnx("bert.onnx", bert, {{"tokens", tokens}, {"mask", mask}},
///                 [&](const std::vector<Tensor>& in) { return std::vector{bert(in[0], {.mask = in[1]})}; });
///
/// The program runs twice, for the examples and for one more (their rows in reverse, and one again), and the operations
/// that it computed are what is written; what differs between the runs follows the number of examples, the first axis
/// of batched inputs, which the file calls "batch". All other sizes are those of the examples. The model's tensors are
/// initializers under their names, other tensors of the program are constants. Inputs and outputs are laid out as in
/// Temper, images [N, H, W, C]; bf16 is written as f32.
///
/// Throws: ValueError with the name of the operation for one that has no counterpart, such as a loss; when the program
/// computes something else for one example more, or reads the elements of a tensor that depends on the inputs instead
/// of using operations, or changes an input in place; for inputs without examples or of different numbers of them, and
/// for an input or output that has the name of another one or of a tensor of the model. FileError when the file cannot
/// be written. Whatever the program throws. Source: ONNX, "Open Neural Network Exchange Intermediate Representation"
/// and "Operators", version 1.12.
void export_onnx(const std::filesystem::path& path, const Tensors& state, const std::vector<OnnxInput>& inputs,
                 const OnnxProgram& program, const OnnxOptions& options = {});
template <Savable M>
void export_onnx(const std::filesystem::path& path, const M& model, const std::vector<OnnxInput>& inputs,
                 const OnnxProgram& program, const OnnxOptions& options = {}) {
  export_onnx(path, state_dict(model), inputs, program, options);
}

/// The same of a layer, such as a Sequential, whose input is called "input": export_onnx("net.onnx", net, images).
void export_onnx(const std::filesystem::path& path, const nn::Layer& layer, const Tensor& example,
                 const OnnxOptions& options = {});

}  // namespace temper
