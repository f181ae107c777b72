#pragma once

// Optimizers and the schedules that drive them.

#include <temper/optim/adam.hpp>
#include <temper/optim/group.hpp>
#include <temper/optim/optimizer.hpp>
#include <temper/optim/plateau.hpp>
#include <temper/optim/presets.hpp>
#include <temper/optim/schedule.hpp>
#include <temper/optim/sgd.hpp>
