#pragma once

// All layers.

#include <temper/nn/activation.hpp>
#include <temper/nn/conv.hpp>
#include <temper/nn/linear.hpp>
#include <temper/nn/sequential.hpp>
