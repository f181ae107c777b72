#include <temper/temper.hpp>
