#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace temper::detail {

/// A part of a JSON file, with the way to it for messages: "data[0].paragraphs[2]". What it has not, or has of another
/// kind, is a FileError that names the place, unless said otherwise.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& json, std::string place) : json_(&json), place_(std::move(place)) {}

  const std::string& place() const { return place_; }

  // Objects.
  /// Whether it is an object that has the key.
  bool has(std::string_view key) const;
  JsonNode at(std::string_view key) const;
  /// What a key holds; nothing when it is missing or null, or this is no object.
  std::optional<JsonNode> find(std::string_view key) const;
  void each_entry(const std::function<void(const std::string& key, const JsonNode& value)>& visit) const;

  // Lists.
  bool is_list() const;
  /// Entries of a list or an object.
  std::size_t size() const;
  JsonNode item(std::size_t i) const;
  void each(const std::function<void(const JsonNode& entry)>& visit) const;

  // Values.
  std::string text() const;  // a copy: a reference would outlive the node that `at` gives
  /// From 0 on.
  std::uint64_t number() const;
  double real() const;
  /// A number as text that reads as the same double.
  std::string digits() const;
  bool flag() const;
  // What a key holds when it is there and not null, else `usual`.
  bool flag(std::string_view key, bool usual) const;
  std::string text(std::string_view key, const char* usual) const;

 private:
  const nlohmann::json* json_;
  std::string place_;
};

}  // namespace temper::detail
