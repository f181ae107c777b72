#pragma once

// Misuse is loud. Every case runs in the midst of a training program; it must throw the right type with a text that
// names what was got and what was expected, and leave that program as if it had never been tried.

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <temper/temper.hpp>

#include "tests/data/files.hpp"

namespace temper::test {

/// A small network after one update. Gradients wait for the next one, and a tape holds a loss that was not yet
/// differentiated.
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

  /// Everything that a failed call must not have changed, as one text.
  std::string state() const;
  /// Goes on with the training: the failed call has broken nothing.
  void go_on();
};

struct Misuse {
  bool (*is_right)(const std::exception&);  // of the type, or derived from it
  std::string text;                         // what() contains it
  std::function<void(Program&)> call;
  std::function<void(Program&)> before = {};  // what leads up to the call
};

/// refuses<ShapeError>("matmul: a [2, 3] ...", [](Program&) { matmul(...); })
template <class Error, class Call>
Misuse refuses(std::string text, Call call, std::function<void(Program&)> before = {}) {
  return {[](const std::exception& error) { return dynamic_cast<const Error*>(&error) != nullptr; }, std::move(text),
          [call](Program& program) { static_cast<void>(call(program)); }, std::move(before)};
}

void check(const std::vector<Misuse>& cases);

}  // namespace temper::test
