#pragma once

// Training on several processes.

#include <temper/distributed/data_parallel.hpp>
#include <temper/distributed/group.hpp>
#include <temper/distributed/threads.hpp>
#include <temper/distributed/transport.hpp>
