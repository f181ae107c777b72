#pragma once

// Misuse throws. Every case runs in the middle of a training program. It must throw the right type with a text that
// names what was given and what was expected, and must not change the program's state.

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <temper/temper.hpp>

#include "tests/data/files.hpp"

namespace temper::test {

/// A small network after one update. Its parameters have gradients, and a tape holds a loss on which backward was not
/// called yet.
class Program {
 public:
  Program();

  nn::Sequential model{nn::Conv2d(1, 2, {.kernel = 3}), nn::BatchNorm2d(2), nn::ReLU(), nn::Flatten(),
                       nn::Linear(8, 3)};
  optim::AdamW adamw{model.parameters(), {.lr = 0.01, .clip_norm = 10.0}};
  data::Loader<data::TensorDataset<2>> loader;
  Tensor images, labels;
  std::optional<Tape> tape;
  Tensor logits, loss;
  temper_test::Folder folder;

  /// The state that a failed call must not change, as text.
  std::string state() const;
  /// Checks that training can continue after the failed call.
  void go_on();
};

struct Misuse {
  bool (*is_right)(const std::exception&);  // whether it has the type
  std::string text;                         // must be part of what()
  std::function<void(Program&)> call;
  std::function<void(Program&)> before = {};  // prepares the call
};

/// refuses<ShapeError>("matmul: a [2, 3] ...", [](Program&) { matmul(...); })
template <class Error, class Call>
Misuse refuses(std::string text, Call call, std::function<void(Program&)> before = {}) {
  return {[](const std::exception& error) { return dynamic_cast<const Error*>(&error) != nullptr; }, std::move(text),
          [call](Program& program) { static_cast<void>(call(program)); }, std::move(before)};
}

void check(const std::vector<Misuse>& cases);

}  // namespace temper::test
