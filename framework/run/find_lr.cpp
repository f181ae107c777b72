// --find-lr: a range test with the run's own steps, of which nothing remains but a picture.

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "framework/core/format_internal.hpp"
#include "framework/run/run_impl_internal.hpp"

namespace temper {

namespace {

/// A checkpoint shares memory with what it is of.
Checkpoint copy_of(Checkpoint checkpoint) {
  for (auto& [name, tensor] : checkpoint.model) tensor = tensor.clone();
  for (auto& [name, tensor] : checkpoint.optimizer.tensors) tensor = tensor.clone();
  return checkpoint;
}

}  // namespace

void Run::Impl::begin_search() {
  // A schedule that ends at 0 has no later rates, so the test is no longer than the phase.
  const RangeTestOptions range{.updates = std::min<Step>(100, total)};
  if (range.updates < 2) {
    fail<ValueError>("--find-lr: the run has {} update, which is too few; expected at least 2", total);
  }
  search.emplace(LrSearch{.test = RangeTest(range),
                          .start = copy_of(detail::checkpoint_of(*parts)),
                          .factors = std::vector<double>(parts->optimizers.size(), 1.0),
                          .began = Clock::now()});
  receivers.reset();
  bar = std::make_unique<detail::ProgressBar>("find-lr", range.updates);
}

/// The rate is the optimizer's option, which groups scale and their journal's factors multiply.
void Run::Impl::set_search_rates() {
  for (std::size_t i = 0; i < parts->optimizers.size(); ++i) {
    optim::Optimizer& each = *parts->optimizers[i].value;
    const double base = each.definition().hypers[0].value(each.k());
    if (!(base > 0)) {
      fail<ValueError>(
          "--find-lr: the learning rate of update {} is {}, of which no other can be made; give --lr a "
          "number, or a schedule that does not begin at 0",
          each.k() + 1, base);
    }
    const double factor = search->test.rate() / base;
    each.scale_lr(factor / search->factors[i], "find-lr");
    search->factors[i] = factor;
  }
}

bool Run::Impl::search_batch(const MeanLoss& loss) {
  const double mean = loss.mean.item();
  search->loss.add(mean, loss.count);
  gathered_count += loss.count;
  if (std::isfinite(mean) && !stop_requested() && ++gathered < options.accumulate) return true;
  bool applied = std::isfinite(mean);
  if (applied && !stop_requested()) {
    set_search_rates();
    try {
      optimizer().step({.divide_by = options.accumulate > 1 ? gathered_count : 1.0});
    } catch (const ValueError&) {  // a gradient that is not finite; whatever else it is, training will meet it again
      applied = false;
    }
  }
  return search_step(applied);
}

bool Run::Impl::search_step(bool applied) {
  gathered = 0;
  gathered_count = 0;
  if (search->loss.count == 0) {
    fail<ValueError>("--find-lr: the loop logged no 'train/loss' in its step; it looks at that");
  }
  if (!applied) search->test.diverge();
  bar->advance();
  if (applied && !stop_requested() && search->test.add(search->loss.take())) return true;
  end_search();
  return false;
}

void Run::Impl::end_search() {
  const RangeTest test = std::move(search->test);
  for (const auto& [name, optimizer] : parts->optimizers) optimizer->discard_gradients();
  detail::restore(search->start, *parts);
  const auto lasted = Clock::now() - search->began;
  search.reset();
  *started += lasted;
  stopped_itself = false;
  begin_steps();
  if (stop_requested()) {
    save(false);
    stop_here(128 + stop->signal());
  }
  const bool only = parts->phase.name == "train";
  print("{}{}", only ? "" : parts->phase.name + ": ", test.text());
  print("everything is as it was before the test; training begins with {}",
        parts->optimizers.empty() ? "no optimizer" : parts->optimizers[0].value->schedule("lr").text());
  searches.push_back(test.sample());
  folder->write("find_lr.json", fmt::format("[{}]\n", fmt::join(searches, ",\n")));
}

}  // namespace temper
