#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

void fill_table(Table& table);

void fill_table(Table& table) {
  fill_sums(table);
  fill_sgd(table);
  fill_adam(table);
  fill_adam_narrow(table);
  fill_average(table);
  fill_nadam(table);
  fill_adamax(table);
  fill_adagrad(table);
  fill_rmsprop(table);
  fill_lion(table);
  fill_lamb(table);
  fill_muon(table);
  fill_adafactor(table);
}

}  // namespace temper::optim_kernels::TEMPER_ISA
