// What a run writes while it runs: metrics.jsonl, evaluations, samples.

#include <algorithm>
#include <cmath>

#include <temper/core/pool.hpp>

#include "framework/core/format_internal.hpp"
#include "models/common/run_impl.hpp"

namespace temper::models {

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

/// A line that cannot be written waits for the next one, and is asked for again before a checkpoint: a disk that is
/// full for a while ends no run.
void Run::Impl::end_line() {
  try {
    log->end();
    if (board) board->flush();
  } catch (const FileError& error) {
    if (!log_failed) warn(fmt::format("{} (trying again later)", error.what()));
    log_failed = true;
  }
}

void Run::Impl::log_step(const optim::StepReport& report) {
  const Clock::time_point now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - measured).count();
  const double items = static_cast<double>(examples * throughput.per_example);
  log->begin(step());
  log->add("epoch", parts->loader.state().epoch);
  log->add("time", seconds());
  if (parts->phase.name != "train") log->add("phase", parts->phase.name);
  add("train/loss", logged_loss.take());
  add("lr", optimizer().value("lr", report.k));
  add("grad_norm", report.grad_norm);
  add("update_ratio", report.update_ratio);
  add("throughput", elapsed > 0 ? items / elapsed : 0.0);
  add("memory_mb", static_cast<double>(pool_stats().peak) / megabyte);
  end_line();
  measured = now;
  examples = 0;
}

void Run::Impl::evaluate() {
  const Clock::time_point begin = Clock::now();
  // Whatever an evaluation draws, training goes on as if there had been none: how often it is made changes nothing.
  const RandomState random = random_state();
  if (optimizer().has_averages()) optimizer().swap_averages();
  const Metrics metrics = parts->evaluate();
  keep_best(metrics);
  if (optimizer().has_averages()) optimizer().swap_averages();
  set_random_state(random);
  log_metrics(metrics);
  measured += Clock::now() - begin;  // the throughput is training's
}

void Run::Impl::log_metrics(const Metrics& metrics) {
  std::string text;
  if (!metrics.empty()) {
    log->begin(step());
    log->add("epoch", parts->loader.state().epoch);
    log->add("time", seconds());
    for (const Metric& metric : metrics) {
      add(log_name(metric.name), metric.value);
      text += fmt::format("{}{} {:.4f}", text.empty() ? "" : ", ", metric.name, metric.value);
    }
    end_line();
  }
  print("{}epoch {}, step {}/{}: training loss {:.4f}{}{}, {:.1f} s",
        parts->phase.name == "train" ? "" : parts->phase.name + ": ", parts->loader.state().epoch, optimizer().k(),
        total, evaluated_loss.take(), text.empty() ? "" : ", ", text, seconds());
  last_metrics = text;
}

/// The weights that were evaluated best so far, averages included.
void Run::Impl::keep_best(const Metrics& metrics) {
  if (metrics.empty() || !std::isfinite(metrics[0].value)) return;
  const auto& [name, value, better] = metrics[0];
  if (best && !(better == Better::larger ? value > *best : value < *best)) return;
  best = value;
  temper::save(*folder / "checkpoints/best.safetensors", parts->model,
               {{"step", std::to_string(step())}, {name, fmt::format("{}", value)}});
}

}  // namespace temper::models
