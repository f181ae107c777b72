#pragma once

// Everything a training program needs.

#include <temper/autograd/tape.hpp>
