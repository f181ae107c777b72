// What the processes of a run decide together.

#include <cstring>
#include <span>

#include "framework/core/format_internal.hpp"
#include "framework/distributed/facts_internal.hpp"
#include "framework/distributed/shards_internal.hpp"
#include "framework/run/run_impl_internal.hpp"
#include "framework/train/config_internal.hpp"

namespace temper {

/// One process takes all batches.
data::BatchShare Run::Impl::share() const {
  if (group.size() == 1) return {};
  return {.of = options.pieces(), .first = group.rank() * own_pieces(), .count = own_pieces()};
}

void Run::Impl::check_parts() const {
  if (options.shards == 1) return;
  if (options.find_lr) fail<ValueError>("--find-lr looks for a rate in one process without --shards");
  if (loader() != nullptr && loader()->share != share()) {
    fail<ValueError>(
        "the Loader of the training data takes {} of {} batches, process {} has {} of {}; it needs the share of "
        "Run::loader_options()",
        loader()->share.count, loader()->share.of, group.rank(), share().count, share().of);
  }
}

void Run::Impl::check_same() const {
  if (group.size() == 1) return;
  group.doing("the comparison before the first step");
  std::vector<distributed::Fact> facts;
  for (const auto& [name, value] : detail::read_config(setup.config)) facts.push_back({"--" + name, value});
  facts.push_back({"the number of batches in an epoch", fmt::format("{}", batches())});
  facts.push_back({"the checksum of the first examples", data_checksum});
  facts.push_back({"the number of updates made", fmt::format("{}", step())});
  const auto more = distributed::detail::facts_of(model(), *parts->optimizers.front().value);
  facts.insert(facts.end(), more.begin(), more.end());
  group.check_same(facts);
}

void Run::Impl::make_sum() {
  sum.reset();
  if (options.shards == 1) return;
  std::vector<Parameter> parameters;
  for (const optim::Group& each : optimizer().groups()) {
    parameters.insert(parameters.end(), each.parameters.begin(), each.parameters.end());
  }
  sum.emplace(group, std::move(parameters), model().buffers(), options.shards);
}

void Run::Impl::begin_update() {
  if (group.size() > 1) group.doing(fmt::format("step {}", step() + 1));
  if (sum) sum->begin();
}

std::optional<detail::RepeatRandom> Run::random_of_piece() const {
  const Impl& run = *impl_;
  if (run.options.shards == 1) return std::nullopt;
  const std::int64_t piece = run.group.rank() * run.own_pieces() + run.gathered;
  return std::optional<detail::RepeatRandom>(
      std::in_place,
      distributed::detail::random_of(detail::random_seed(), run.step(), piece, run.options.pieces()));
}

/// Those of all processes, in the order in which one would make them.
std::vector<PieceLoss> Run::Impl::all_pieces() {
  std::vector<PieceLoss> all;
  if (group.size() == 1) return all;
  for (const auto& bytes : group.gather(std::as_bytes(std::span(pieces)))) {
    const std::size_t count = all.size();
    all.resize(count + bytes.size() / sizeof(PieceLoss));
    std::memcpy(all.data() + count, bytes.data(), (all.size() - count) * sizeof(PieceLoss));
  }
  pieces.clear();
  return all;
}

/// A signal counts whichever process got it; the clock is that of the first.
void Run::Impl::decide() {
  Decision mine{.signal = stop ? stop->signal() : 0, .time_is_up = seconds() >= max_seconds, .save = checkpoint_due()};
  if (group.size() > 1) {
    const std::vector<Decision> all = group.gather(mine);
    mine = all.front();
    for (const Decision& each : all) mine.signal = mine.signal != 0 ? mine.signal : each.signal;
  }
  decided = mine;
  time_is_up = decided.time_is_up;
}

}  // namespace temper
