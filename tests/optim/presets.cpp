// The conventions of other programs: rates at each update with 4 updates of warm-up, 10 in all and a peak of 1.

#include <temper/optim/presets.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <temper/core/errors.hpp>

#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

void check_row(const Schedule& schedule, const std::vector<double>& row) {
  CAPTURE(schedule.text());
  for (std::size_t k = 0; k < row.size(); ++k) {
    CAPTURE(k);
    CHECK(std::abs(schedule(static_cast<Step>(k)) - row[k]) < 5.01e-4);
  }
  CHECK(parse(schedule.text()) == schedule);
}

}  // namespace

TEST_CASE("the presets follow the conventions they are named for") {
  check_row(llmc_schedule(1, 4, 10), {.25, .5, .75, 1, 1, .833, .667, .5, .333, .167});
  check_row(linear_schedule_with_warmup(1, 4, 10), {0, .25, .5, .75, 1, .833, .667, .5, .333, .167});
  check_row(bert_schedule(1, 4, 10), {0, .25, .5, .75, .6, .5, .4, .3, .2, .1});
  check_row(optax_warmup(1, 4), {0, .25, .5, .75, 1, 1});
  check_row(pytorch_linear_lr(.25, 4), {.25, .4375, .625, .8125, 1, 1});
  check_row(pytorch_linear_lr(1.0 / 4, 3), {.25, .5, .75, 1, 1});
  check_row(nanogpt_schedule(1, 4, 10), {.2, .4, .6, .8, 1});
  check_row(deepspeed_warmup(1, 4), {0, 0, .25, .5, .75, 1});
  check_row(deepspeed_log_warmup(1, 4), {0, 0, .5, .792, 1});
  check_row(deepspeed_warmup_cosine(1, 4, 10), {0, 0, .25, .5, .75, .933, .75});
  check_row(timm_cosine(1, 4, 10), {0, .25, .5, .75, .655, .5});
}

TEST_CASE("presets with a peak of their own") {
  CHECK(bert_schedule(5e-5, 100, 1000).text() ==
        "5e-05 * warmup(100, Warmup::zero_based).then(linear_decay(1000).skip(100))");
  CHECK(nanogpt_schedule(6e-4, 10, 100, 6e-5)(100) == near(6e-5));
  for (const Step k : {0, 10, 3999, 4000, 100000}) {
    const double t = static_cast<double>(k + 1);
    CHECK(noam(512, 4000)(k) == near(std::pow(512.0, -0.5) * std::min(std::pow(t, -0.5), t * std::pow(4000.0, -1.5))));
  }
  CHECK_THROWS_AS(bert_schedule(1, 11, 10), ValueError);
}
