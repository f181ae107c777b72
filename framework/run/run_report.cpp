// The end of a run: samples, report, printed results.

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <temper/train/scores.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/run/run_impl_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper {

namespace {

/// Source: RFC 4648, section 4.
std::string base64(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (i + k < bytes.size() ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k <= bytes.size() ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

/// In one line; broken UTF-8 is replaced.
std::string dumped(const nlohmann::json& sample) {
  return sample.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void Run::sample_text(const std::string& title, const std::string& text) {
  print("{}:\n{}", title, text);
  impl_->samples.push_back(dumped({{"kind", "text"}, {"title", title}, {"text", text}}));
}

void Run::sample_image(const std::string& title, const std::string& caption, const Tensor& pixels) {
  const Shape& shape = pixels.shape();
  if (shape.rank() != 3 || pixels.dtype() != Dtype::f32) {
    fail<ShapeError>("sample_image: pixels {} {}, expected f32 [height, width, channels]", pixels.dtype(), shape);
  }
  std::vector<unsigned char> bytes;
  for (const float value : pixels.values<float>()) {
    bytes.push_back(static_cast<unsigned char>(std::clamp(value, 0.0f, 1.0f) * 255.0f + 0.5f));
  }
  impl_->samples.push_back(dumped({{"kind", "image"},
                                   {"title", title},
                                   {"caption", caption},
                                   {"height", shape[0]},
                                   {"width", shape[1]},
                                   {"channels", shape[2]},
                                   {"pixels", base64(bytes)}}));
}

void Run::sample_matrix(const std::string& title, const ConfusionMatrix& matrix,
                        const std::vector<std::string>& names) {
  const std::int64_t classes = matrix.classes();
  if (!names.empty() && std::ssize(names) != classes) {
    fail<ValueError>("sample_matrix: {} names for {} classes", names.size(), classes);
  }
  nlohmann::json labels = nlohmann::json::array(), rows = nlohmann::json::array();
  for (std::int64_t label = 0; label < classes; ++label) {
    labels.push_back(names.empty() ? std::to_string(label) : names[static_cast<std::size_t>(label)]);
    nlohmann::json row = nlohmann::json::array();
    for (std::int64_t guess = 0; guess < classes; ++guess) row.push_back(matrix.count(label, guess));
    rows.push_back(std::move(row));
  }
  impl_->samples.push_back(dumped({{"kind", "matrix"}, {"title", title}, {"names", labels}, {"rows", rows}}));
}

void Run::Impl::write_samples() {
  if (samples.size() == written_samples || !writes()) return;
  folder->write("samples.json", fmt::format("[{}]\n", fmt::join(samples, ",\n")));
  written_samples = samples.size();
}

void Run::Impl::read_samples(std::size_t count) {
  samples.clear();
  const std::filesystem::path path = *folder / "samples.json";
  if (count > 0 && detail::path_exists(path)) {
    const auto bytes = detail::read_file(path, detail::memory_of_machine());
    const auto all = nlohmann::json::parse(bytes, nullptr, false);
    if (all.is_array()) {
      for (const auto& sample : all) {
        if (samples.size() < count) samples.push_back(dumped(sample));
      }
    }
  }
  written_samples = 0;  // those after the checkpoint, which the file may have, are made again
  if (samples.size() < count) {
    warn(fmt::format("{} has {} of the {} samples that were there when the run was saved", detail::printable(path.native()),
                     samples.size(), count));
  }
}

void Run::finish() {
  Impl& run = *impl_;
  if (run.phase < 0) return;  // a program without a training loop, or one that only uses a finished run
  if (run.resumed) {
    fail<FileError>("{}: of phase {}, the program has phases 0 to {}; was it made by this program?",
                    run.resumed->file.native(), run.resumed->checkpoint.notes["phase"], run.phase);
  }
  if (!run.folder || !run.started) return;
  run.write_samples();
  if (run.log) run.log->sync();
  run.log.reset();
  write_report({run.folder->path().native()}, (*run.folder / "report.html").native());
  print("trained in {:.1f} s; the weights and the report are in {}", run.seconds(), run.folder->path().native());
  if (!run.last_metrics.empty()) print("{}", run.last_metrics);
}

}  // namespace temper
