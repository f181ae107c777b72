#include <temper/run/loop.hpp>

#include <algorithm>

#include "framework/core/format_internal.hpp"
#include "framework/run/run_impl_internal.hpp"

namespace temper {

void Loop::check_name(const std::string& name, const std::vector<std::string>& taken) const {
  if (begun_) fail<ValueError>("Loop: '{}' is named after the first step; earlier checkpoints would not hold it", name);
  if (name.empty() || name == "state" || name.find('/') != std::string::npos) {
    fail<ValueError>("Loop: '{}' cannot be a part's name; expected a word without '/', other than 'state'", name);
  }
  if (std::ranges::find(taken, name) != taken.end()) {
    fail<ValueError>("Loop: there is another part of its kind named '{}'", name);
  }
}

Loop& Loop::model(const std::string& name, const nn::Module& model) {
  add(parts_.models, name, &model);
  return *this;
}
Loop& Loop::optimizer(const std::string& name, optim::Optimizer& optimizer) {
  add(parts_.optimizers, name, &optimizer);
  return *this;
}
Loop& Loop::state(const std::string& name, double& value) {
  add(parts_.state, name, {&value});
  return *this;
}
Loop& Loop::state(const std::string& name, std::int64_t& value) {
  add(parts_.state, name, {&value});
  return *this;
}
Loop& Loop::state(const std::string& name, const Tensor& value) {
  add(parts_.state, name, {value});
  return *this;
}
Loop& Loop::evaluate(std::function<Metrics()> evaluate) {
  parts_.evaluate = std::move(evaluate);
  return *this;
}

bool Loop::next() {
  if (!begun_) {
    begun_ = true;
    if (run_.impl_->options.shards > 1) {
      fail<ValueError>("Loop: a training loop of the program's own runs in one process, without --shards; Run::train and "
                       "distributed::DataParallel train on several");
    }
    active_ = run_.begin(parts_);
    if (active_ && run_.options().dry_run) run_.plan_loop();
  } else if (active_) {
    run_.after_step(nullptr);
  }
  if (!active_) return false;
  if (run_.more()) {
    run_.before_step();
    return true;
  }
  run_.end();
  return active_ = false;
}

Step Loop::step() const { return run_.impl_->made; }
void Loop::log(std::string_view name, double value, double count) { run_.note(name, value, count); }
void Loop::seen(std::int64_t examples) { run_.impl_->examples += examples; }
void Loop::stop() { run_.impl_->stopped_itself = true; }

}  // namespace temper
