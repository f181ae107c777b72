// A minimal training program. overheads.py times its compilation and its start.

#include <temper/temper.hpp>
using namespace temper;

int main() {
  const nn::Linear model(4, 1);
  optim::SGD sgd(model.parameters(), {.lr = 0.1});
  Tape tape;
  tape.backward(mean(model(ones({8, 4}))));
  sgd.step();
}
