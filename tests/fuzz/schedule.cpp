#include <cstdlib>

#include <temper/optim/schedule.hpp>

#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) {
  const temper::optim::Schedule schedule = temper::optim::parse(input.text());
  for (const temper::Step k : {0, 1, 7, 1000, 1'000'000'000}) schedule(k);
  // The canonical text reads back as itself.
  const std::string text = schedule.text();
  if (temper::optim::parse(text).text() != text) std::abort();
}
