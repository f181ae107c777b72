#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <temper/run/run.hpp>

namespace temper {

/// The batches of a loader one by one, epoch after epoch, for training loops that do not iterate over one loader.
template <data::Dataset D>
class Batches {
 public:
  explicit Batches(data::Loader<D>& loader) : loader_(&loader) {}

  /// Throws: ValueError when the loader has none.
  const typename data::Loader<D>::Batch& next() {
    if (at_) {
      ++*at_;
    } else {
      at_.emplace(loader_->begin());
    }
    if (*at_ == loader_->end()) at_.emplace(loader_->begin());
    if (*at_ == loader_->end()) throw ValueError("Batches: the loader has no batches");
    return **at_;
  }

 private:
  data::Loader<D>* loader_;
  std::optional<typename data::Loader<D>::Iterator> at_;
};

/// A program's own training loop within a run: any number of models, optimizers and loaders, variables of its own, any
/// kind of step. All that is named before the first step is saved in every checkpoint and resumed exactly.
///
///     Loop loop(run, {.steps = 2000});
///     loop.model("generator", generator).model("critic", critic);
///     loop.optimizer("generator", *g).optimizer("critic", *c).state("baseline", baseline);
///     auto images = loop.batches("images", loader);
///     while (loop.next()) {
///       const auto& [real, labels] = images.next();
///       ...
///       loop.log("train/critic loss", loss.item());
///     }
class Loop {
 public:
  /// `phase.steps` counts the loop's steps; 0: --steps, or --epochs times the first loader's batches.
  explicit Loop(Run& run, const Phase& phase = {}) : run_(run) { parts_.phase = phase; }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Names a part. The names tell parts apart in the checkpoint; all parts must outlive the loop. Throws, as all here:
  /// ValueError for a name that is used already, is empty or contains a slash, and once the loop has begun.
  Loop& model(const std::string& name, const nn::Module& model);
  Loop& optimizer(const std::string& name, optim::Optimizer& optimizer);
  /// A variable of the program, or a tensor; resuming restores it in place.
  Loop& state(const std::string& name, double& value);
  Loop& state(const std::string& name, std::int64_t& value);
  Loop& state(const std::string& name, const Tensor& value);
  template <data::Dataset D>
  Batches<D> batches(const std::string& name, data::Loader<D>& loader) {
    add(parts_.loaders, name, detail::LoaderHandle(loader));
    return Batches<D>(loader);
  }
  /// Sets the function that evaluates, every --eval-every steps and at the end.
  Loop& evaluate(std::function<Metrics()> evaluate);

  /// Whether there is another step. Before the first one it resumes, between two it logs, evaluates and saves, after
  /// the last it saves the weights. Throws: Stopped after Ctrl-C; ValueError for a logged value that is not finite.
  bool next();
  /// Number of steps made so far.
  Step step() const;
  /// Logs a value of this step. metrics.jsonl gets means over steps, weighted by `count`.
  void log(std::string_view name, double value, double count = 1);
  /// Adds to the number of examples processed, for the throughput.
  void seen(std::int64_t examples);
  /// Makes the current step the last one.
  void stop();

 private:
  template <class T>
  void add(std::vector<detail::Named<T>>& to, const std::string& name, std::type_identity_t<T> part) {
    std::vector<std::string> taken;
    for (const detail::Named<T>& other : to) taken.push_back(other.name);
    check_name(name, taken);
    to.push_back({name, std::move(part)});
  }
  void check_name(const std::string& name, const std::vector<std::string>& taken) const;

  Run& run_;
  detail::RunParts parts_;
  bool begun_ = false, active_ = false;
};

}  // namespace temper
