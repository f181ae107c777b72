#pragma once

// All operations with gradients.

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/attention.hpp>
#include <temper/autograd/ops/batch_norm.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/compare.hpp>
#include <temper/autograd/ops/conv.hpp>
#include <temper/autograd/ops/conv_nd.hpp>
#include <temper/autograd/ops/conv_transpose.hpp>
#include <temper/autograd/ops/dropout.hpp>
#include <temper/autograd/ops/einsum.hpp>
#include <temper/autograd/ops/embedding.hpp>
#include <temper/autograd/ops/gated.hpp>
#include <temper/autograd/ops/group_norm.hpp>
#include <temper/autograd/ops/interpolate.hpp>
#include <temper/autograd/ops/loss.hpp>
#include <temper/autograd/ops/matmul.hpp>
#include <temper/autograd/ops/norm.hpp>
#include <temper/autograd/ops/pool.hpp>
#include <temper/autograd/ops/recurrent.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/rotary.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/ops/unary.hpp>
