// --histograms: how weights, gradients and activations are distributed, a line each in histograms.jsonl.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include <nlohmann/json.hpp>

#include <temper/train/histogram.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/nn/observer_internal.hpp"
#include "framework/run/run_impl_internal.hpp"
#include "framework/train/write_pending_internal.hpp"

namespace temper {

namespace {

std::string line_of(Step step, const char* kind, const std::string& name, const Tensor& values, double divisor = 1) {
  const Histogram found = Histogram::of(values);
  return nlohmann::ordered_json{{"step", step},
                                {"kind", kind},
                                {"name", name},
                                {"low", found.low / divisor},
                                {"high", found.high / divisor},
                                {"mean", found.mean / divisor},
                                {"deviation", found.deviation / divisor},
                                {"bad", found.bad},
                                {"counts", found.counts}}
             .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

/// Keeps a line for the first output of each layer.
class Activations : public nn::LayerObserver {
 public:
  Activations(Step step, const nn::Module& model) : step_(step) {
    for (const nn::Child& child : model.children()) names_.emplace(child.module, child.name);
  }
  void observe(const nn::Layer& layer, const Tensor& output) override {
    const auto name = names_.find(&layer);
    if (name == names_.end() || (output.dtype() != Dtype::f32 && output.dtype() != Dtype::bf16)) return;
    lines += line_of(step_, "activation", name->second, output);
    names_.erase(name);
  }

  std::string lines;

 private:
  Step step_;
  std::map<const nn::Module*, std::string> names_;
};

}  // namespace

bool Run::looks() const {
  const Impl& run = *impl_;
  return run.options.histograms > 0 && !run.search && (run.step() + 1) % run.options.histograms == 0 &&
         run.gathered == 0 && run.writes();
}

/// At the first piece of an update, so that the first process makes it, however many there are.
void Run::look(const std::function<void()>& forward) {
  Impl& run = *impl_;
  // The random state is restored, and nothing is recorded, so that looking changes nothing.
  const RandomState random = random_state();
  {
    const NoTape unrecorded;
    Activations activations(run.step() + 1, run.model());
    const nn::ObserverScope scope(activations);
    forward();
    run.activations = std::move(activations.lines);
  }
  set_random_state(random);
}

/// The gradients of the update that comes, and the activations of its first piece.
void Run::Impl::write_gradients() {
  const double divisor = options.pieces() > 1 ? gathered_count : 1.0;
  std::string lines;
  for (const Parameter& parameter : model().parameters()) {
    // Of a sparse gradient the rows that it has.
    const Tensor& gradient = parameter.sparse() ? parameter.row_gradient().values : parameter.gradient();
    if (gradient.defined()) lines += line_of(step() + 1, "gradient", parameter.name(), gradient, divisor);
  }
  write_histograms(step() + 1, lines + std::exchange(activations, {}));
}

/// Adds the weights to the lines and appends all to the file. A line that a killed run left incomplete is ended first;
/// whoever reads the file takes the last lines of a step, so that those of a resumed run count.
void Run::Impl::write_histograms(Step at, std::string lines) {
  const Clock::time_point begin = Clock::now();
  std::string weights;
  for (const auto& [name, tensor] : detail::model_tensors(*parts)) {
    const bool number = tensor.dtype() == Dtype::f32 || tensor.dtype() == Dtype::bf16;
    if (number && tensor.numel() > 0) weights += line_of(at, "weight", name, tensor);
  }
  const std::filesystem::path path = *folder / "histograms.jsonl";
  const int descriptor =
      detail::retried([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666); });
  if (descriptor < 0)
    fail<FileError>("{}: cannot be opened: {}", detail::printable(path.native()), std::strerror(errno));
  char last = '\n';
  const off_t size = ::lseek(descriptor, 0, SEEK_END);
  const bool torn = size > 0 && ::pread(descriptor, &last, 1, size - 1) == 1 && last != '\n';
  std::string text = fmt::format("{}{}{}", torn ? "\n" : "", weights, lines);
  const int error = detail::write_pending(descriptor, text);
  ::close(descriptor);
  if (error != 0) {
    if (!log_failed) warn(fmt::format("{}: cannot write: {}", detail::printable(path.native()), std::strerror(error)));
    log_failed = true;
  }
  measured += Clock::now() - begin;
}

}  // namespace temper
