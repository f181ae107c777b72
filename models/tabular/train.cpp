#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <temper/io/csv.hpp>
#include <temper/models/tabular/tabular.hpp>
#include <temper/run/program.hpp>
#include <temper/train/scores.hpp>

namespace temper::models {

namespace {

/// The options that only this program has.
struct Options {
  std::string target, task = "auto", test, categories, drop;
  double held_out = 0.2, validation = 0.15;
  std::string scaling = "quantile";
  std::string network = "tabm", embedding = "piecewise";
  TabularConfig sizes;
  std::string predict, predictions = "predictions.csv";

  void add_to(OwnOptions& own) {
    own.add("--target", target, "column to predict");
    own.choice("--task", task, {"auto", "classification", "regression"},
               "auto: classification for words and for at most 20 different whole numbers");
    own.add("--test", test, "CSV file of the rows to be tested on; by default some of --data are held out");
    own.add("--held-out", held_out, "share of the rows held out for the test, without --test");
    own.add("--validation", validation, "share of the other rows that decides when to stop");
    own.add("--categories", categories, "columns whose numbers are categories: \"zip,model\"");
    own.add("--drop", drop, "columns not to be used: \"id,name\"");
    own.choice("--scaling", scaling, {"quantile", "standard"},
               "of numbers: to a normal distribution, or to deviation 1");
    own.choice("--network", network, {"tabm", "mlp"}, "an ensemble with shared weights, or a multilayer perceptron");
    own.add("--members", sizes.members, "networks of the ensemble");
    own.add("--blocks", sizes.blocks, "hidden layers");
    own.add("--width", sizes.width, "features of a hidden layer");
    own.add("--dropout", sizes.dropout, "share of the features dropped in training");
    own.choice("--embedding", embedding, {"piecewise", "periodic", "none"}, "of numbers");
    own.add("--embedding-width", sizes.embedding_width, "features of the embedding of a number or a category");
    own.add("--bins", sizes.bins, "bins of the piecewise embedding");
    own.add("--frequencies", sizes.frequencies, "frequencies of the periodic embedding");
    own.add("--frequency-deviation", sizes.frequency_deviation, "of the initial frequencies");
    own.add("--predict", predict,
            "CSV file: the trained network predicts the target of its rows, and nothing is trained");
    own.add("--predictions", predictions, "CSV file that --predict writes");
  }

  TabularConfig config(const data::TableTransform& transform) const {
    TabularConfig config = sizes;
    config.numbers = std::ssize(transform.features());
    config.categories = transform.category_sizes();
    config.outputs = std::max<std::int64_t>(1, transform.classes());
    config.embedding = embedding == "piecewise"  ? NumericEmbedding::piecewise
                       : embedding == "periodic" ? NumericEmbedding::periodic
                                                 : NumericEmbedding::none;
    if (network == "mlp") config.members = 1;
    return config;
  }
};

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream(list);
  for (std::string word; std::getline(stream, word, ',');) words.push_back(word);
  return words;
}

/// Whether the target's numbers are more than the names of classes.
bool is_regression(const data::Table& table, const Options& options) {
  if (options.task != "auto") return options.task == "regression";
  for (const auto& column : table.columns()) {
    if (column.name == options.target && column.type != data::ColumnType::number) return false;
  }
  std::set<double> different;
  for (const double value : table.numbers(options.target)) {
    if (value != std::floor(value) || (different.insert(value), different.size() > 20)) return true;
  }
  return false;
}

/// Classes are read as words, whatever they look like, so that they need not be numbered from 0.
data::Table read(const std::string& file, const Options& options, bool& regression) {
  data::TableOptions read;
  for (const std::string& column : words_of(options.categories)) read.types[column] = data::ColumnType::category;
  const data::Table table(file, read);
  if (!table.has(options.target)) throw ValueError("--target: " + file + " has no column '" + options.target + "'");
  for (const std::string& column : words_of(options.drop)) {
    if (!table.has(column)) throw ValueError("--drop: " + file + " has no column '" + column + "'");
  }
  regression = is_regression(table, options);
  read.types[options.target] = regression ? data::ColumnType::number : data::ColumnType::category;
  return data::Table(file, read);
}

/// The rows of train, validation and test. Classes are spread over them evenly.
std::array<std::vector<std::int64_t>, 3> split(const data::Table& table, const Options& options, bool regression,
                                               std::uint64_t seed) {
  const double test = options.test.empty() ? options.held_out : 0.0;
  if (!(test >= 0 && test < 1)) throw ValueError(formatted("--held-out: {}, expected 0 to below 1", test));
  if (!(options.validation > 0 && options.validation < 1)) {
    throw ValueError(formatted("--validation: {}, expected a share between 0 and 1", options.validation));
  }
  std::vector<std::int64_t> labels;
  if (!regression) {
    std::map<std::string, std::int64_t> numbers;
    for (const std::string& word : table.words(options.target)) {
      labels.push_back(numbers.emplace(word, std::ssize(numbers)).first->second);
    }
  }
  const double validation = (1 - test) * options.validation;
  auto parts = data::random_indices(table.size(), {1 - test - validation, validation, test}, seed, labels);
  const bool empty_test = options.test.empty() && parts[2].empty();
  if (parts[0].empty() || parts[1].empty() || empty_test) {
    throw ValueError(table.name() + ": " + std::to_string(table.size()) +
                     " rows are too few to train, validate and test on with these shares");
  }
  return parts;
}

using Rows = data::TensorDataset<3>;

Rows dataset(data::TableTensors tensors) { return Rows(tensors.numbers, tensors.categories, tensors.target); }

/// What the network predicts for all rows, a batch at a time, beside the targets.
struct Predicted {
  Tensor predictions, targets;
};
Predicted predict_all(const Tabular& model, const Rows& rows) {
  data::Loader loader(rows, {.batch_size = 1024});
  std::vector<Tensor> predictions, targets;
  for (const auto& [numbers, categories, target] : loader) {
    predictions.push_back(model.predict(numbers, categories));
    targets.push_back(target);
  }
  return {concat(predictions, 0), concat(targets, 0)};
}

/// The first one decides when to stop.
Metrics scores(const std::string& part, const Predicted& p, const data::TableTransform& transform) {
  if (transform.classes() == 0) {
    RegressionScores errors;
    errors.add(transform.in_units(p.predictions), transform.in_units(p.targets));
    return {{part + " rmse", errors.rmse(), Better::smaller},
            {part + " mae", errors.mae(), Better::smaller},
            {part + " r2", errors.r2()}};
  }
  LogLoss loss;
  ConfusionMatrix matrix(transform.classes());
  loss.add(log(maximum(p.predictions, scalar(1e-30f))), p.targets);
  matrix.add(p.predictions, p.targets);
  Metrics metrics = {{part + " log loss", loss.mean(), Better::smaller}, {part + " accuracy", matrix.accuracy()}};
  const auto labels = p.targets.values<std::int64_t>();
  const bool both = std::ranges::count(labels, 1) > 0 && std::ranges::count(labels, 0) > 0;
  if (transform.classes() == 2 && both) {
    Ranking ranking;
    ranking.add(reshape(slice(p.predictions, 1, 1, 2), {-1}), p.targets);
    metrics.push_back({part + " roc auc", ranking.roc_auc()});
  }
  return metrics;
}

/// Predictions over targets as points, and the line where both are equal.
Tensor scatter_plot(const Predicted& p) {
  constexpr std::int64_t size = 240;
  const auto predictions = p.predictions.values<float>(), targets = p.targets.values<float>();
  const auto [least, most] = std::ranges::minmax(targets);
  const float range = most > least ? most - least : 1.0f;
  const auto place = [&, low = least](float value) {
    return static_cast<std::int64_t>(std::clamp((value - low) / range, 0.0f, 1.0f) * (size - 1));
  };
  Tensor image = full({size, size, 1}, 1.0f);
  float* const pixels = image.mutable_data<float>();
  for (std::int64_t i = 0; i < size; ++i) pixels[(size - 1 - i) * size + i] = 0.75f;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    float& pixel = pixels[(size - 1 - place(predictions[i])) * size + place(targets[i])];
    pixel = std::max(0.0f, std::min(pixel, 0.6f) - 0.15f);
  }
  return image;
}

/// What the saved weights reach on the test.
void show(Run& run, const Predicted& test, const data::TableTransform& transform) {
  std::ostringstream text;
  for (const Metric& metric : scores("test", test, transform)) text << metric.name << " " << metric.value << "\n";
  if (transform.classes() == 0) {
    run.sample_image("Test", "prediction (up) over target (right)", scatter_plot(test));
  } else if (transform.classes() <= 20) {
    ConfusionMatrix matrix(transform.classes());
    matrix.add(test.predictions, test.targets);
    text << "\n" << matrix.text(transform.class_names());
  }
  run.sample_text("Test", text.str());
}

void train(Run& run, const Options& options) {
  const std::string& file = run.options().data;
  if (file.empty() || options.target.empty()) {
    throw ValueError("--data and --target: expected a CSV file, and the name of the column to predict");
  }
  bool regression = false;
  const data::Table table = read(file, options, regression);
  const auto [train_rows, validation_rows, test_rows] = split(table, options, regression, run.options().seed);
  const data::Table training = table.rows(train_rows);

  // A resumed run goes on with what the transform learned when it began.
  const std::string kept = run.kept("transform.json");
  data::TableTransformOptions wanted{
      .target = options.target,
      .regression = regression,
      .standardize_target = regression,
      .scaling = options.scaling == "quantile" ? data::Scaling::quantile_normal : data::Scaling::standard,
      .missing_indicators = true};
  const std::vector<std::string> drop = words_of(options.drop);
  for (const auto& column : table.columns()) {
    const bool dropped = std::ranges::find(drop, column.name) != drop.end();
    if (column.name == options.target || dropped || column.type == data::ColumnType::text) continue;
    wanted.columns.push_back(column.name);
  }
  const data::TableTransform transform =
      kept.empty() ? data::TableTransform(training, wanted) : data::TableTransform::load(kept);
  if (kept.empty()) run.keep("transform.json", [transform](const std::string& path) { save(path, transform); });
  if (transform.classes() == 1) throw ValueError(file + ": target '" + options.target + "' has a single class");

  const data::TableTensors tensors = transform(training);
  const Rows validation = dataset(transform(table.rows(validation_rows)));
  const data::Table testing = options.test.empty() ? table.rows(test_rows) : transform.read(options.test);
  if (!testing.has(options.target))
    throw ValueError("--test: " + options.test + " has no column '" + options.target + "'");
  const Rows test = dataset(transform(testing));
  Tabular model(options.config(transform));
  model.fit(tensors.numbers);
  print("{} of {}: {} rows to train on, {} to validate, {} to test; {} numbers, {} categories",
        regression ? "regression" : "classification", options.target, tensors.numbers.size(0), validation.size(),
        test.size(), model.config().numbers, model.config().categories.size());

  data::Loader loader(dataset(tensors), run.loader_options());
  const auto optimizer = run.optimizer(model, loader.batches());
  run.train(
      model, *optimizer, loader,
      [&](const auto& batch) {
        const auto& [numbers, categories, target] = batch;
        return model.loss(model(numbers, categories), target);
      },
      [&] { return scores("validation", predict_all(model, validation), transform); });
  show(run, predict_all(model, test), transform);
}

/// Predicts the target of a file's rows with a finished run.
void predict(Run& run, const Options& options) {
  const std::string weights = run.folder() + "/model.safetensors", kept = run.kept("transform.json");
  if (kept.empty() || !std::filesystem::exists(weights)) {
    throw ValueError("--predict: the run in " + run.folder() + " is not finished; --resume alone finishes it");
  }
  const auto transform = data::TableTransform::load(kept);
  Tabular model(options.config(transform));
  load(weights, model);
  const data::Table table = transform.read(options.predict);
  const data::TableTensors tensors = transform(table);

  data::CsvTable result{.header = {options.target}, .rows = {}};
  for (std::int64_t i = 0; i < transform.classes(); ++i) {
    result.header.push_back("probability of " + transform.class_names()[static_cast<std::size_t>(i)]);
  }
  for (std::int64_t first = 0, count = 0; first < table.size(); first += count) {
    count = std::min<std::int64_t>(1024, table.size() - first);
    Tensor values =
        model.predict(tensors.numbers.rows(first, first + count), tensors.categories.rows(first, first + count));
    if (transform.classes() == 0) values = reshape(transform.in_units(values), {count, 1});
    for (std::int64_t row = 0; row < count; ++row) {
      const auto of_row = values.rows(row, row + 1).values<float>();
      std::vector<std::string> fields;
      if (transform.classes() > 0) {
        const auto best = std::ranges::max_element(of_row) - of_row.begin();
        fields.push_back(transform.class_names()[static_cast<std::size_t>(best)]);
      }
      for (const float value : of_row) fields.push_back(formatted("{:.9g}", value));
      result.rows.push_back({table.line(first + row), std::move(fields)});
    }
  }
  save_csv(options.predictions, result);
  print("predictions for {} rows are in {}", table.size(), options.predictions);
}

}  // namespace

}  // namespace temper::models

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  Program program{.name = "tabular", .description = "Trains TabM or a multilayer perceptron on a table, and predicts."};
  program.defaults = {.epochs = 100,
                      .batch_size = 256,
                      .lr = "2e-3",
                      .warmup = "0",
                      .decay = "constant",
                      .weight_decay = 3e-4,
                      .clip_norm = 1.0,
                      .patience = 16};
  program.without = {"--dtype"};
  program.free = {"--predict", "--predictions"};
  program.resuming = {"--predict"};
  Options options;
  return run_program(
      program, argc, argv, [&](OwnOptions& own) { options.add_to(own); },
      [&](Run& run) { options.predict.empty() ? train(run, options) : predict(run, options); });
}
