#pragma once

// Optimizers and the schedules that drive them.

#include <temper/optim/schedule.hpp>
