#include "tests/misuse/misuse.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <sstream>
#include <typeinfo>

namespace temper::test {

namespace {

/// Dtype, shape and bytes.
void write(std::ostream& out, const Tensor& tensor) {
  if (!tensor.defined()) {
    out << "none\n";
    return;
  }
  out << to_string(tensor.dtype()) << ' ' << to_string(tensor.shape()) << ' ';
  if (tensor.dtype() == Dtype::f32) {
    for (const float x : tensor.values<float>()) out << std::bit_cast<std::uint32_t>(x) << ' ';
  } else {
    for (const std::int64_t x : tensor.values<std::int64_t>()) out << x << ' ';
  }
  out << '\n';
}

}  // namespace

Program::Program()
    : loader(data::TensorDataset(normal({6, 4, 4, 1}), indices({0, 1, 2, 0, 1, 2})), {.batch_size = 2, .workers = 0}) {
  for (const auto& [batch, answers] : loader) {
    images = batch;
    labels = answers;
    break;
  }
  const auto differentiate = [&] {
    Tape one;
    one.backward(cross_entropy(model(images), labels));
  };
  differentiate();
  adamw.step();
  differentiate();
  tape.emplace();
  logits = model(images);
  loss = cross_entropy(logits, labels);
}

std::string Program::state() const {
  std::ostringstream out;
  for (const Parameter& parameter : model.parameters()) {
    out << parameter.name() << (parameter.frozen() ? " frozen " : " ");
    write(out, parameter.value());
    write(out, parameter.gradient());
  }
  for (const nn::Buffer& buffer : model.buffers()) {
    out << buffer.name << ' ';
    write(out, buffer.tensor);
  }
  const optim::OptimizerState optimizer = adamw.state();
  for (const auto& [name, tensor] : optimizer.tensors) {
    out << name << ' ';
    write(out, tensor);
  }
  for (const auto& [name, text] : optimizer.texts) out << name << ' ' << text << '\n';
  out << adamw.k() << ' ' << tape->size() << ' ' << recording() << ' ' << training() << '\n';
  const data::LoaderState place = loader.state();
  out << place.epoch << ' ' << place.batch << ' ' << place.seed << '\n';
  const RandomState random = random_state();
  out << random.seed << ' ' << random.draws << '\n';
  for (const Tensor& tensor : {images, labels, logits, loss}) write(out, tensor);
  return out.str();
}

void Program::go_on() {
  adamw.discard_gradients();  // one case leaves a NaN in them
  tape.emplace();
  const Tensor next = cross_entropy(model(images), labels);
  tape->backward(next);
  const Step k = adamw.k();
  adamw.step();
  CHECK(adamw.k() == k + 1);
}

void check(const std::vector<Misuse>& cases) {
  for (const Misuse& misuse : cases) {
    CAPTURE(misuse.text);
    manual_seed(7);
    Program program;
    if (misuse.before) misuse.before(program);
    const std::string state = program.state();
    bool thrown = false;
    try {
      misuse.call(program);
    } catch (const std::exception& error) {
      thrown = true;
      const std::string text = error.what();
      CHECK_MESSAGE(misuse.is_right(error), "threw ", typeid(error).name(), ": ", text);
      CHECK_MESSAGE(text.find(misuse.text) != std::string::npos, "threw \"", text, "\"");
    }
    CHECK_MESSAGE(thrown, "threw nothing");
    CHECK_MESSAGE(program.state() == state, "has changed something");
    program.go_on();
  }
}

}  // namespace temper::test
