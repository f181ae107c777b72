// What a run logs: metrics.jsonl, TensorBoard, evaluations.

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include <temper/core/pool.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/run/run_impl_internal.hpp"

namespace temper {

namespace {

constexpr double megabyte = 1024.0 * 1024.0;

/// "test accuracy" is "test/accuracy" in metrics.jsonl.
std::string log_name(std::string name) {
  if (const auto blank = name.find(' '); blank != std::string::npos) name[blank] = '/';
  return name;
}

}  // namespace

void Run::Impl::open_log(const MetricsLogOptions& at) {
  log.emplace(*folder / "metrics.jsonl", at);
  if (!options.tensorboard) return;
  TensorBoardOptions writer;
  if (at.resumed_at) writer.purge_step = *at.resumed_at + 1;
  board.emplace((*folder / "tensorboard").native(), writer);
  if (!at.resumed_at) board->verbatim("config", 0, setup.config);
}

void Run::Impl::add(std::string_view name, double value) {
  log->add(name, value);
  if (board) board->scalar(name, step(), value);
}

/// A line that cannot be written is kept and written with the next one, at the latest before a checkpoint, so that a
/// disk that is full for a while does not end a run.
void Run::Impl::end_line() {
  try {
    log->end();
    if (board) board->flush();
  } catch (const FileError& error) {
    if (!log_failed) warn(fmt::format("{} (trying again later)", error.what()));
    log_failed = true;
  }
}

void Run::Impl::begin_line() {
  log->begin(step());
  if (loader() != nullptr) log->add("epoch", loader()->state().epoch);
  log->add("time", seconds());
}

/// `report` is that of the run's optimizer; null in a Loop, which steps its optimizers itself.
void Run::Impl::log_step(const optim::StepReport* report) {
  if (!writes()) return;
  const Clock::time_point now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - measured).count();
  const double items = static_cast<double>(examples * throughput.per_example);
  begin_line();
  if (parts->phase.name != "train") log->add("phase", parts->phase.name);
  for (Figure& figure : figures) {
    if (figure.logged.count > 0) add(figure.name, figure.logged.take());
  }
  for (const auto& [name, optimizer] : parts->optimizers) {
    const Step k = report != nullptr ? report->k : std::max<Step>(0, optimizer->k() - 1);
    if (name.empty()) {
      add("lr", optimizer->value("lr", k));
    } else {
      add("lr/" + name, optimizer->value("lr", k));
    }
  }
  if (report != nullptr) {
    add("grad_norm", report->grad_norm);
    add("update_ratio", report->update_ratio);
    if (const auto scale = noise.value()) add("noise_scale", *scale);
  }
  if (examples > 0) add("throughput", elapsed > 0 ? items / elapsed : 0.0);
  add("memory_mb", static_cast<double>(pool_stats().peak) / megabyte);
  end_line();
  measured = now;
  examples = 0;
}

void Run::Impl::swap_averages() {
  for (const auto& [name, optimizer] : parts->optimizers) {
    if (optimizer->has_averages()) optimizer->swap_averages();
  }
}

void Run::Impl::evaluate() {
  const Clock::time_point begin = Clock::now();
  // The random state is restored, so that results do not depend on how often the run evaluates.
  const RandomState random = random_state();
  swap_averages();
  group.doing(fmt::format("the evaluation after step {}", step()));
  Metrics metrics = parts->evaluate ? parts->evaluate() : Metrics{};
  for (Metric& metric : metrics) metric.value = group.broadcast(metric.value);
  keep_best(metrics);
  if (hooks.evaluated) hooks.evaluated(step(), metrics);
  swap_averages();
  set_random_state(random);
  log_metrics(metrics);
  measured += Clock::now() - begin;  // the time of evaluations does not count for the throughput
}

void Run::Impl::log_metrics(const Metrics& metrics) {
  if (!writes()) return;
  std::string text;
  if (!metrics.empty()) {
    begin_line();
    for (const Metric& metric : metrics) {
      add(log_name(metric.name), metric.value);
      text += fmt::format("{}{} {:.4f}", text.empty() ? "" : ", ", metric.name, metric.value);
    }
    end_line();
  }
  write_result(metrics);
  static const std::string loss_name = "training loss";
  std::string line;
  if (parts->phase.name != "train") line += parts->phase.name + ": ";
  if (loader() != nullptr) line += fmt::format("epoch {}, ", loader()->state().epoch);
  line += fmt::format("step {}/{}: ", made, total);
  for (Figure& figure : figures) {
    if (figure.evaluated.count == 0) continue;
    const std::string& name = figure.name == "train/loss" ? loss_name : figure.name;
    line += fmt::format("{} {:.4f}, ", name, figure.evaluated.take());
  }
  if (!text.empty()) line += text + ", ";
  print("{}{:.1f} s", line, seconds());
  if (options.patience > 0 && waited >= options.patience) {
    print("no better evaluation in {}: the run ends, with the best weights", waited);
  }
  last_metrics = text;
}

/// The last evaluation for other programs, such as a sweep: without metrics it is the mean of the training loss since
/// the one before.
void Run::Impl::write_result(const Metrics& metrics) const {
  Metrics shown = metrics;
  const auto loss = std::ranges::find(figures, "train/loss", &Figure::name);
  if (shown.empty() && loss != figures.end() && loss->evaluated.count > 0) {
    shown.push_back({"train loss", loss->evaluated.sum / loss->evaluated.count, Better::smaller});
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const auto& [name, value, better] : shown) {
    list.push_back({{"name", name}, {"value", value}, {"better", better == Better::larger ? "larger" : "smaller"}});
  }
  const nlohmann::ordered_json result = {{"step", step()}, {"seconds", seconds()}, {"metrics", list}};
  folder->write("result.json", result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

/// Saves the weights if the evaluation is the best so far. With averages in place, these are saved.
void Run::Impl::keep_best(const Metrics& metrics) {
  if (metrics.empty()) return;
  const auto& [name, value, better] = metrics[0];
  const double gain = best ? (better == Better::larger ? value - *best : *best - value) : 0;
  if (!std::isfinite(value) || (best && !(gain > options.min_change))) {
    ++waited;
    return;
  }
  waited = 0;
  best = value;
  if (!writes()) return;
  save_tensors(*folder / "checkpoints/best.safetensors", detail::model_tensors(*parts),
               {{"step", std::to_string(step())}, {name, fmt::format("{}", value)}});
}

}  // namespace temper
