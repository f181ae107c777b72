// How a TableTransform is saved.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <temper/data/table_transform.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::data {

namespace {

using Json = nlohmann::json;
using temper::detail::printable;

constexpr std::string_view format = "temper.table_transform.1";
constexpr std::array scalings = {std::pair{Scaling::none, "none"}, std::pair{Scaling::standard, "standard"},
                                 std::pair{Scaling::quantile_uniform, "quantile_uniform"},
                                 std::pair{Scaling::quantile_normal, "quantile_normal"}};

/// A part of the text, which knows its place for messages.
struct Node {
  const Json& json;
  std::string place;

  Node at(const char* key) const {
    const auto found = json.is_object() ? json.find(key) : json.end();
    if (!json.is_object() || found == json.end()) wrong(fmt::format("has no \"{}\"", key));
    return {*found, fmt::format("{}.{}", place, key)};
  }
  template <class Visit>
  void each(Visit visit) const {
    if (!json.is_array()) wrong("is no list");
    for (std::size_t i = 0; i < json.size(); ++i) visit(Node{json[i], fmt::format("{}[{}]", place, i)});
  }
  std::string text() const {
    if (!json.is_string()) wrong("is no text");
    return json.get<std::string>();
  }
  bool truth() const {
    if (!json.is_boolean()) wrong("is neither true nor false");
    return json.get<bool>();
  }
  double number() const {
    if (!json.is_number()) wrong("is no number");
    const auto value = json.get<double>();
    if (!std::isfinite(value)) wrong("is not finite");
    return value;
  }
  double deviation() const {
    const double value = number();
    if (!(value > 0)) wrong(fmt::format("is {}, expected above 0", value));
    return value;
  }
  std::vector<std::string> words() const {
    std::vector<std::string> all;
    each([&](const Node& word) { all.push_back(word.text()); });
    for (std::size_t i = 1; i < all.size(); ++i) {
      if (all[i] <= all[i - 1])
        wrong(fmt::format("has '{}' after '{}', expected them sorted", printable(all[i]), printable(all[i - 1])));
    }
    return all;
  }

  [[noreturn]] void wrong(std::string_view what) const { fail<FileError>("{} {}", place, what); }
};

Scaling scaling_of(const Node& node) {
  const std::string name = node.text();
  for (const auto& [scaling, known] : scalings) {
    if (name == known) return scaling;
  }
  node.wrong(fmt::format("is '{}', expected none, standard, quantile_uniform or quantile_normal", printable(name)));
}

}  // namespace

std::string TableTransform::serialized() const {
  Json numbers = Json::array(), categories = Json::array();
  for (const Number& number : numbers_) {
    const auto named = std::ranges::find(scalings, number.scaling, [](const auto& pair) { return pair.first; });
    numbers.push_back({{"column", number.column},
                       {"scaling", named->second},
                       {"indicator", number.indicator},
                       {"median", number.median},
                       {"mean", number.mean},
                       {"deviation", number.deviation},
                       {"quantiles", number.quantiles}});
  }
  for (const Category& category : categories_) {
    categories.push_back({{"column", category.column}, {"words", category.words}});
  }
  Json target;
  if (!target_.empty()) {
    target = {{"column", target_},    {"regression", regression_},
              {"mean", target_mean_}, {"deviation", target_deviation_},
              {"classes", classes_},  {"class_names", class_names_}};
  }
  return Json{
      {"format", format}, {"numbers", numbers}, {"categories", categories}, {"one_hot", one_hot_}, {"target", target}}
      .dump();
}

TableTransform TableTransform::parse(std::string_view text, std::string_view name) {
  try {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) fail<FileError>("not JSON");
    const Node file{json, "file"};
    if (const std::string found = file.at("format").text(); found != format) {
      fail<FileError>("file.format is '{}', expected '{}'", printable(found), format);
    }
    TableTransform transform;
    transform.one_hot_ = file.at("one_hot").truth();
    file.at("numbers").each([&](const Node& node) {
      Number number{.column = node.at("column").text(),
                    .scaling = scaling_of(node.at("scaling")),
                    .indicator = node.at("indicator").truth(),
                    .median = node.at("median").number(),
                    .mean = node.at("mean").number(),
                    .deviation = node.at("deviation").deviation()};
      const Node quantiles = node.at("quantiles");
      quantiles.each([&](const Node& value) { number.quantiles.push_back(value.number()); });
      if (!std::ranges::is_sorted(number.quantiles)) quantiles.wrong("fall, expected them to rise");
      const bool needed = number.scaling == Scaling::quantile_uniform || number.scaling == Scaling::quantile_normal;
      if (needed && number.quantiles.empty()) quantiles.wrong("is empty");
      transform.numbers_.push_back(std::move(number));
    });
    file.at("categories").each([&](const Node& node) {
      transform.categories_.push_back({node.at("column").text(), node.at("words").words()});
    });
    if (const Node target = file.at("target"); !target.json.is_null()) {
      transform.target_ = target.at("column").text();
      transform.regression_ = target.at("regression").truth();
      transform.target_mean_ = target.at("mean").number();
      transform.target_deviation_ = target.at("deviation").deviation();
      transform.class_names_ = target.at("class_names").words();
      const Node classes = target.at("classes");
      const double count = classes.number();
      const bool right = transform.regression_            ? count == 0 && transform.class_names_.empty()
                         : transform.class_names_.empty() ? count >= 1 && count <= 1e6 + 1 && count == std::floor(count)
                                                          : count == static_cast<double>(transform.class_names_.size());
      if (!right) classes.wrong(fmt::format("is {}, which does not fit the rest of the target", count));
      transform.classes_ = static_cast<std::int64_t>(count);
    }
    transform.name_features();
    return transform;
  } catch (const FileError& error) {
    fail<FileError>("{}: {}", printable(name), error.what());
  }
}

TableTransform TableTransform::load(const std::filesystem::path& path) {
  return parse(temper::detail::read_text(path, std::uint64_t{1} << 30), path.native());
}

}  // namespace temper::data
