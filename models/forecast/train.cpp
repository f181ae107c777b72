#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <temper/io/csv.hpp>
#include <temper/models/forecast/forecast.hpp>
#include <temper/run/program.hpp>
#include <temper/train/scores.hpp>

namespace temper::models {

namespace {

/// The options that only this program has.
struct Options {
  std::string column, network = "gru";
  std::int64_t season = 52;
  double validation = 0.15, test = 0.2;
  ForecastConfig sizes;

  void add_to(OwnOptions& own) {
    own.add("--column", column, "of the series; by default the last one of numbers");
    own.add("--season", season, "steps after which the series resembles itself");
    own.add("--validation", validation, "share of the series, before the test, that decides when to stop");
    own.add("--test", test, "share of the series, at its end, that is only forecast");
    own.choice("--network", network, {"lstm", "gru", "convolution"}, "what reads the past");
    own.add("--lookback", sizes.lookback, "steps that the network sees, a season at least");
    own.add("--horizon", sizes.horizon, "steps that it forecasts");
    own.add("--width", sizes.width, "hidden features or channels");
    own.add("--layers", sizes.layers, "0: one recurrent layer; as many convolutions as see the whole lookback");
    own.add("--kernel", sizes.kernel, "of convolutions");
    own.add("--dropout", sizes.dropout, "share of the features dropped in training");
  }
};

std::string default_data() {
  const std::string file = "/usr/lib/python3/dist-packages/statsmodels/datasets/co2/co2.csv";
  if (!std::filesystem::exists(file)) {
    throw FileError(file + ": not there; apt-get install python3-statsmodels, or give a CSV file by --data");
  }
  return file;
}

/// A column of numbers, [steps]. What is missing lies on the line between its neighbours.
Tensor read_series(const std::string& file, std::string column) {
  const data::Table table(file);
  if (column.empty()) {
    for (const auto& each : table.columns()) {
      if (each.type == data::ColumnType::number) column = each.name;
    }
    if (column.empty()) throw FileError(file + ": no column of numbers");
  }
  if (!table.has(column)) throw ValueError("--column: " + file + " has no column '" + column + "'");
  const std::span<const double> values = table.numbers(column);
  Tensor series = empty({table.size()});
  float* const to = series.mutable_data<float>();
  std::size_t before = 0, missing = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      if (i == 0 || i + 1 == values.size()) {
        throw FileError(file + ":" + std::to_string(table.line(static_cast<std::int64_t>(i))) + ": column '" + column +
                        "': missing at an end of the series, so that nothing can be put there");
      }
      ++missing;
      continue;
    }
    for (std::size_t k = before + 1; k <= i; ++k) {
      const double part = static_cast<double>(k - before) / static_cast<double>(i - before);
      to[k] = static_cast<float>(values[before] + part * (values[i] - values[before]));
    }
    to[i] = static_cast<float>(values[i]);
    before = i;
  }
  print("{}, column {}: {} steps, {} missing ones interpolated", file, column, values.size(), missing);
  return series;
}

/// Errors of forecasts of all windows, in units of the seasonal error.
struct Errors {
  double mase = 0, rmse = 0;
};
template <class Model>
Errors errors_of(const Model& model, const data::Windows& windows) {
  data::Loader loader(windows, {.batch_size = 256});
  RegressionScores errors;
  for (const auto& [past, future] : loader) {
    const NoTape unrecorded;
    errors.add(model(past), future);
  }
  return {errors.mae(), errors.rmse()};
}

/// Lines on white, from [least, most] to the height of the picture.
class Plot {
 public:
  Plot(std::int64_t steps, float least, float most)
      : steps_(steps),
        least_(least),
        range_(most > least ? most - least : 1.0f),
        image_(full({height, width, 3}, 1.0f)) {}

  void line(std::int64_t first, std::span<const float> values, std::array<float, 3> color) {
    for (std::size_t i = 0; i + 1 < values.size(); ++i) {
      const double x0 = place(first + static_cast<std::int64_t>(i)),
                   x1 = place(first + static_cast<std::int64_t>(i) + 1);
      const double y0 = row(values[i]), y1 = row(values[i + 1]);
      const int points = 1 + static_cast<int>(std::max(x1 - x0, std::abs(y1 - y0)));
      for (int p = 0; p <= points; ++p) {
        const double part = static_cast<double>(p) / points;
        dot(std::lround(y0 + part * (y1 - y0)), std::lround(x0 + part * (x1 - x0)), color);
      }
    }
  }
  const Tensor& image() const { return image_; }

 private:
  static constexpr std::int64_t height = 240, width = 720;

  double place(std::int64_t step) const {
    return static_cast<double>(step * (width - 1)) / static_cast<double>(steps_);
  }
  double row(float value) const { return (1 - (value - least_) / range_) * (height - 1); }
  void dot(std::int64_t y, std::int64_t x, const std::array<float, 3>& color) {
    if (y < 0 || y >= height || x < 0 || x >= width) return;
    std::copy(color.begin(), color.end(), image_.mutable_data<float>() + (y * width + x) * 3);
  }

  std::int64_t steps_;
  float least_, range_;
  Tensor image_;
};

/// The series from `begin` on, and forecasts that follow one another.
Tensor picture(const Forecast& model, const Tensor& series, std::int64_t begin, std::int64_t season) {
  const auto all = series.values<float>().subspan(static_cast<std::size_t>(begin));
  const auto [least, most] = std::ranges::minmax(all);
  Plot plot(std::ssize(all), least, most);
  plot.line(0, all, {0.7f, 0.7f, 0.7f});
  const auto& [network, lookback, horizon, width, layers, kernel, dropout] = model.config();
  for (std::int64_t at = begin; at + horizon <= series.size(0); at += horizon) {
    const Tensor past = reshape(series.rows(at - lookback, at), {1, -1, 1});
    plot.line(at - begin, seasonal_naive(past, horizon, season).values<float>(), {0.95f, 0.6f, 0.2f});
    plot.line(at - begin, model(past).values<float>(), {0.1f, 0.3f, 0.8f});
  }
  return plot.image();
}

void train(Run& run, const Options& options) {
  const std::string& given = run.options().data;
  const std::string file = given.empty() ? default_data() : given;
  const Tensor series = read_series(file, options.column);
  ForecastConfig config = options.sizes;
  config.network = options.network == "lstm"  ? ForecastNetwork::lstm
                   : options.network == "gru" ? ForecastNetwork::gru
                                              : ForecastNetwork::convolution;
  const std::int64_t lookback = config.lookback, horizon = config.horizon, season = options.season;
  if (season < 1 || season > lookback) {
    throw ValueError("--season: " + std::to_string(season) + ", expected 1 to --lookback, " + std::to_string(lookback));
  }
  const std::int64_t steps = series.size(0);
  if (!(options.validation > 0 && options.test > 0 && options.validation + options.test < 1)) {
    throw ValueError("--validation and --test: expected shares above 0 of less than the whole");
  }
  const auto part = [&](double share) { return static_cast<std::int64_t>(static_cast<double>(steps) * share); };
  const std::int64_t testing = steps - part(options.test), validating = testing - part(options.validation);
  if (validating < lookback + horizon || testing - validating < horizon || steps - testing < horizon) {
    throw ValueError(file + ": " + std::to_string(steps) + " steps are too few for --lookback " +
                     std::to_string(lookback) + " and --horizon " + std::to_string(horizon) + " with these shares");
  }
  // In units of the seasonal error of the training part, the mean absolute error is the MASE.
  const double unit = seasonal_error(series.rows(0, validating).values<float>(), season);
  const Tensor scaled = series / unit;
  const data::WindowOptions window{.lookback = lookback, .horizon = horizon};
  data::Loader loader(data::Windows(scaled.rows(0, validating), window), run.loader_options());
  const data::Windows validation(scaled.rows(validating - lookback, testing), window);
  const data::Windows test(scaled.rows(testing - lookback, steps), window);

  const Forecast model(config);
  const auto optimizer = run.optimizer(model, loader.batches());
  run.train(
      model, *optimizer, loader,
      [&](const auto& batch) {
        const auto& [past, future] = batch;
        return l1_loss(model(past), future);
      },
      [&] {
        return Metrics{{"validation mase", errors_of(model, validation).mase, Better::smaller}};
      });

  const Errors ours = errors_of(model, test);
  const auto naive = [&](const Tensor& past) { return seasonal_naive(past, horizon, season); };
  std::ostringstream text;
  const auto line = [&](const std::string& name, const Errors& errors) {
    text << name << ": MASE " << errors.mase << ", RMSE " << errors.rmse * unit << "\n";
  };
  line(options.network, ours);
  line("seasonal naive", errors_of(naive, test));
  if (lookback > season) {
    // The level has changed by as much as the last step differs from the one a season before.
    const auto with_drift = [&](const Tensor& past) {
      return naive(past) + slice(past, 1, -1, lookback) - slice(past, 1, lookback - 1 - season, lookback - season);
    };
    line("seasonal naive with the season's drift", errors_of(with_drift, test));
  }
  run.sample_text("Test", text.str());
  run.sample_image("Test",
                   "the series in grey, forecasts of " + std::to_string(horizon) +
                       " steps in blue, the seasonal naive ones in orange",
                   picture(model, scaled, testing, season));

  data::CsvTable future{.header = {"step", "forecast"}, .rows = {}};
  const Tensor next = model(reshape(scaled.rows(steps - lookback, steps), {1, -1, 1})) * unit;
  for (std::int64_t i = 0; i < horizon; ++i) {
    future.rows.push_back({i + 2, {std::to_string(steps + i), formatted("{:.9g}", next.data<float>()[i])}});
  }
  const std::string path = run.folder() + "/forecast.csv";
  save_csv(path, future);
  print("the {} steps after the series' end are in {}", horizon, path);
}

}  // namespace

}  // namespace temper::models

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  Program program{.name = "forecast",
                  .description = "Trains an LSTM, a GRU or convolutions to forecast a series, by default weekly CO2."};
  program.defaults = {.epochs = 30, .batch_size = 64, .lr = "3e-3", .warmup = "5%", .clip_norm = 1.0};
  program.without = {"--dtype"};
  Options options;
  return run_program(
      program, argc, argv, [&](OwnOptions& own) { options.add_to(own); }, [&](Run& run) { train(run, options); });
}
