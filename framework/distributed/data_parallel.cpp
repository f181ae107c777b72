#include <temper/distributed/data_parallel.hpp>

#include <cmath>
#include <cstring>
#include <vector>

#include <temper/autograd/ops/arithmetic.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/distributed/facts_internal.hpp"
#include "framework/distributed/shard_sum_internal.hpp"
#include "framework/distributed/shards_internal.hpp"

namespace temper::distributed {

namespace {

std::vector<Parameter> parameters_of(const optim::Optimizer& optimizer) {
  std::vector<Parameter> all;
  for (const optim::Group& group : optimizer.groups()) {
    all.insert(all.end(), group.parameters.begin(), group.parameters.end());
  }
  return all;
}

/// The loss of a shard.
struct Part {
  double loss = 0;
  double count = 0;
};

}  // namespace

struct DataParallel::Impl {
  Impl(Group& its_group, const nn::Module& its_model, optim::Optimizer& its_optimizer, const DataParallelOptions& options)
      : group(its_group),
        model(its_model),
        optimizer(its_optimizer),
        shards(options.shards),
        sum(group, parameters_of(optimizer), model.buffers(), shards) {}

  Group& group;
  const nn::Module& model;
  optim::Optimizer& optimizer;
  int shards;
  detail::ShardSum sum;
  bool checked = false;
  std::vector<Part> parts{};  // of this process's shards of the update
};

DataParallel::DataParallel(Group& group, const nn::Module& model, optim::Optimizer& optimizer,
                           const DataParallelOptions& options)
    : impl_(std::make_unique<Impl>(group, model, optimizer, options)) {}
DataParallel::~DataParallel() = default;

data::LoaderOptions DataParallel::loader(data::LoaderOptions options) const {
  const Impl& me = *impl_;
  if (options.batch_size % me.shards != 0) {
    fail<ValueError>("DataParallel: a batch of {} cannot be cut into {} equal shards", options.batch_size, me.shards);
  }
  options.batch_size /= me.shards;
  options.share = {.of = me.shards, .first = me.sum.first(), .count = me.sum.count()};
  return options;
}

std::optional<UpdateReport> DataParallel::step(double count, const std::function<Tensor()>& loss) {
  Impl& me = *impl_;
  if (!(count >= 0) || !std::isfinite(count)) {
    fail<ValueError>("DataParallel: a shard of {} examples, expected 0 or more", count);
  }
  const Step update = me.optimizer.k();
  if (!me.checked) {
    me.group.doing("the comparison before the first step");
    me.group.check_same(detail::facts_of(me.model, me.optimizer));
    me.checked = true;
  }
  if (me.parts.empty()) {
    me.group.doing(fmt::format("step {}", update + 1));
    me.sum.begin();
  }
  Part part{.loss = 0, .count = count};
  if (count > 0) {
    const int shard = me.sum.first() + static_cast<int>(me.parts.size());
    const temper::detail::RepeatRandom random(
        detail::random_of(temper::detail::random_seed(), update, shard, me.shards));
    Tape tape;
    const Tensor mean = loss();
    part.loss = mean.item();
    tape.backward(mean * static_cast<float>(count));
  }
  me.sum.add();
  me.parts.push_back(part);
  if (std::ssize(me.parts) < me.sum.count()) return std::nullopt;

  // Losses first, as a gradient that is not finite is an error of the optimizer's.
  UpdateReport report;
  std::vector<Part> mine;
  mine.swap(me.parts);
  for (const auto& bytes : me.group.gather(std::as_bytes(std::span(mine)))) {
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(Part)) {
      Part each;
      std::memcpy(&each, bytes.data() + at, sizeof(Part));
      report.loss += each.loss * each.count;
      report.count += each.count;
    }
  }
  if (!(report.count > 0)) fail<ValueError>("DataParallel: step {}: no shard has anything that counts", update + 1);
  report.loss /= report.count;
  if (!std::isfinite(report.loss)) {
    me.sum.drop();
    fail<ValueError>("DataParallel: step {}: the loss is {}", update + 1, report.loss);
  }
  me.sum.finish();
  report.step = me.optimizer.step({.divide_by = report.count});
  return report;
}

}  // namespace temper::distributed
