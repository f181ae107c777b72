#pragma once

// Optimizers and the schedules that drive them.

#include <temper/optim/adadelta.hpp>
#include <temper/optim/adafactor.hpp>
#include <temper/optim/adagrad.hpp>
#include <temper/optim/adam.hpp>
#include <temper/optim/adamax.hpp>
#include <temper/optim/ademamix.hpp>
#include <temper/optim/adopt.hpp>
#include <temper/optim/group.hpp>
#include <temper/optim/lamb.hpp>
#include <temper/optim/lars.hpp>
#include <temper/optim/lbfgs.hpp>
#include <temper/optim/lint.hpp>
#include <temper/optim/lion.hpp>
#include <temper/optim/muon.hpp>
#include <temper/optim/nadam.hpp>
#include <temper/optim/optimizer.hpp>
#include <temper/optim/plateau.hpp>
#include <temper/optim/plot.hpp>
#include <temper/optim/presets.hpp>
#include <temper/optim/prodigy.hpp>
#include <temper/optim/radam.hpp>
#include <temper/optim/rmsprop.hpp>
#include <temper/optim/rprop.hpp>
#include <temper/optim/schedule.hpp>
#include <temper/optim/schedule_free.hpp>
#include <temper/optim/sgd.hpp>
#include <temper/optim/soap.hpp>
