// A short version of main.cpp: a few steps on random examples.

#include <temper/models/mlp/mlp.hpp>
#include <temper/temper.hpp>

#include <vector>

using namespace temper;

int main() {
  manual_seed(1);
  nn::Sequential model = models::mlp({.inputs = 8, .hidden1 = 16, .hidden2 = 16, .classes = 3});
  optim::AdamW adamw(model.parameters(), {.lr = 1e-2 * optim::warmup(10).then(optim::linear_decay(20)), .clip_norm = 1.0});

  const Tensor inputs = normal({32, 8});
  std::vector<std::int64_t> classes;
  for (int i = 0; i < 32; ++i) classes.push_back(inputs.data<float>()[8 * i] < 0 ? 0 : i % 2 + 1);
  const Tensor labels = from(classes, {32});

  double first = 0, last = 0;
  for (int step = 0; step < 30; ++step) {
    Tape tape;
    const Tensor loss = cross_entropy(model(inputs), labels);
    tape.backward(loss);
    adamw.step();
    last = loss.item();
    if (step == 0) first = last;
  }
  print("loss {:.4f} -> {:.4f}", first, last);
  return last < first ? 0 : 1;
}
