#include "framework/data/json_node_internal.hpp"

#include <nlohmann/json.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::detail {

bool JsonNode::has(std::string_view key) const { return json_->is_object() && json_->contains(key); }

JsonNode JsonNode::at(std::string_view key) const {
  if (!has(key)) fail<FileError>("{} has no \"{}\"", place_, printable(key));
  return {*json_->find(key), fmt::format("{}.{}", place_, printable(key))};
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  if (!has(key) || json_->find(key)->is_null()) return {};
  return at(key);
}

void JsonNode::each_entry(const std::function<void(const std::string&, const JsonNode&)>& visit) const {
  if (!json_->is_object()) fail<FileError>("{} is no object", place_);
  for (const auto& [key, value] : json_->items()) visit(key, {value, fmt::format("{}.{}", place_, printable(key))});
}

bool JsonNode::is_list() const { return json_->is_array(); }

std::size_t JsonNode::size() const {
  if (!json_->is_structured()) fail<FileError>("{} is neither a list nor an object", place_);
  return json_->size();
}

JsonNode JsonNode::item(std::size_t i) const {
  if (!json_->is_array()) fail<FileError>("{} is no list", place_);
  if (i >= json_->size()) fail<FileError>("{} has {} entries, expected more than {}", place_, json_->size(), i);
  return {(*json_)[i], fmt::format("{}[{}]", place_, i)};
}

void JsonNode::each(const std::function<void(const JsonNode&)>& visit) const {
  if (!json_->is_array()) fail<FileError>("{} is no list", place_);
  for (std::size_t i = 0; i < json_->size(); ++i) visit(item(i));
}

std::string JsonNode::text() const {
  if (!json_->is_string()) fail<FileError>("{} is no text", place_);
  return json_->get_ref<const std::string&>();
}

std::uint64_t JsonNode::number() const {
  if (!json_->is_number_unsigned()) fail<FileError>("{} is no number from 0 on", place_);
  return json_->get<std::uint64_t>();
}

double JsonNode::real() const {
  if (!json_->is_number()) fail<FileError>("{} is no number", place_);
  return json_->get<double>();
}

std::string JsonNode::digits() const {
  if (!json_->is_number()) fail<FileError>("{} is no number", place_);
  return json_->dump();
}

bool JsonNode::flag() const {
  if (!json_->is_boolean()) fail<FileError>("{} is neither true nor false", place_);
  return json_->get<bool>();
}

bool JsonNode::flag(std::string_view key, bool usual) const {
  const auto found = find(key);
  return found ? found->flag() : usual;
}

std::string JsonNode::text(std::string_view key, const char* usual) const {
  const auto found = find(key);
  return found ? found->text() : usual;
}

}  // namespace temper::detail
