#include <temper/optim/optim.hpp>
