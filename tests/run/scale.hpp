#pragma once

#include <temper/nn/module.hpp>

namespace temper_test {

/// A model of one weight [4], ones at first.
struct Scale : temper::nn::Module {
  temper::Parameter weight{temper::full({4}, 1.0f), temper::Role::weight};
  void members(temper::nn::Members& m) const override { m("weight", weight); }
};

}  // namespace temper_test
