#pragma once

// All layers.

#include <temper/nn/activation.hpp>
#include <temper/nn/activations.hpp>
#include <temper/nn/attention.hpp>
#include <temper/nn/bf16.hpp>
#include <temper/nn/conv.hpp>
#include <temper/nn/conv_nd.hpp>
#include <temper/nn/embedding.hpp>
#include <temper/nn/group_norm.hpp>
#include <temper/nn/init.hpp>
#include <temper/nn/linear.hpp>
#include <temper/nn/lora.hpp>
#include <temper/nn/norm.hpp>
#include <temper/nn/pool.hpp>
#include <temper/nn/recurrent.hpp>
#include <temper/nn/reparametrize.hpp>
#include <temper/nn/sequential.hpp>
