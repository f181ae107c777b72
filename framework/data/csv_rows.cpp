#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "framework/data/csv_internal.hpp"

namespace temper::detail {

CsvRows::CsvRows(std::string_view text, std::string_view name, char delimiter)
    : text_(text), name_(name), delimiter_(delimiter) {
  if (text_.starts_with("\xef\xbb\xbf")) place_ = 3;  // spreadsheets put it there
  if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff")) {
    wrong(1, "the text is UTF-16; save it as UTF-8");
  }
  if (done()) fail<FileError>("{}: the file is empty", printable(name_));
}

bool CsvRows::next() {
  while (!done()) {
    read_row();
    if (fields_.size() == 1 && fields_.front().empty() && width_ != 1) continue;  // a blank line
    if (width_ == 0) width_ = fields_.size();
    if (fields_.size() != width_) wrong(row_line_, "{} fields, the first row has {}", fields_.size(), width_);
    return true;
  }
  if (width_ == 0) fail<FileError>("{}: nothing but blank lines", printable(name_));
  return false;
}

void CsvRows::read_row() {
  fields_.clear();
  unquoted_.clear();
  row_line_ = line_;
  for (;;) {
    fields_.push_back(!done() && text_[place_] == '"' ? quoted() : bare());
    if (done() || text_[place_] != delimiter_) break;
    ++place_;
  }
  if (!done() && text_[place_] == '\r') ++place_;
  if (!done()) ++place_;  // the line's end
  ++line_;
}

bool CsvRows::at_line_end() const {
  return text_[place_] == '\n' || (text_[place_] == '\r' && place_ + 1 < text_.size() && text_[place_ + 1] == '\n');
}

std::string_view CsvRows::bare() {
  const std::size_t begin = place_;
  while (!done() && text_[place_] != delimiter_ && !at_line_end()) {
    if (text_[place_] == '\r') {
      wrong(line_, "column {}: a carriage return without a line feed; save the file with lines that end as on Unix",
            fields_.size() + 1);
    }
    if (text_[place_] == '"') {
      wrong(line_, "column {}: a quote within a field that does not begin with one", fields_.size() + 1);
    }
    ++place_;
  }
  return text_.substr(begin, place_ - begin);
}

std::string_view CsvRows::quoted() {
  const std::int64_t first_line = line_;
  const std::size_t begin = ++place_;
  bool doubled = false;
  for (;;) {
    if (done()) wrong(first_line, "column {}: a quote without end", fields_.size() + 1);
    const char c = text_[place_++];
    if (c == '"') {
      if (done() || text_[place_] != '"') break;
      doubled = true;
      ++place_;
    } else if (c == '\n') {
      ++line_;
    }
  }
  const std::string_view inside = text_.substr(begin, place_ - 1 - begin);
  if (!done() && text_[place_] != delimiter_ && !at_line_end()) {
    wrong(line_, "column {}: '{}' after the closing quote", fields_.size() + 1, printable(text_.substr(place_, 1)));
  }
  if (!doubled) return inside;
  std::string& field = unquoted_.emplace_back();
  for (std::size_t i = 0; i < inside.size(); ++i) {
    field += inside[i];
    if (inside[i] == '"') ++i;
  }
  return field;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

bool is_missing(std::string_view field) {
  constexpr std::string_view names[] = {"", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?"};
  return std::ranges::find(names, trimmed(field)) != std::end(names);
}

namespace {

/// Without the plus sign that from_chars does not take.
std::string_view numeral(std::string_view field) {
  std::string_view text = trimmed(field);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  return text;
}

}  // namespace

template <class T>
std::optional<T> number_in(std::string_view field) {
  const std::string_view text = numeral(field);
  const char* const all = text.data() + text.size();
  T value = 0;
  auto [end, error] = std::from_chars(text.data(), all, value);
  if (error == std::errc::result_out_of_range) {  // too small or too large: a wider type tells
    long double wide = 0;
    error = std::from_chars(text.data(), all, wide).ec;
    value = static_cast<T>(wide);
  }
  if (error != std::errc() || end != all || !std::isfinite(value)) return {};
  return value;
}

template std::optional<float> number_in(std::string_view field);
template std::optional<double> number_in(std::string_view field);

std::optional<std::int64_t> whole_number_in(std::string_view field) {
  const std::string_view text = numeral(field);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return {};
  return value;
}

}  // namespace temper::detail
