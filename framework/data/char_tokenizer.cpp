#include <temper/data/char_tokenizer.hpp>

#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/json_depth_internal.hpp"
#include "framework/data/utf8_internal.hpp"

namespace temper::data {

namespace {

constexpr std::string_view format_name = "temper.characters";
constexpr std::uint64_t largest_file = 64 << 20;

/// Calls visit(character) for each character of a text.
template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = temper::detail::character_length(text.substr(i));
    if (length == 0) fail<ValueError>("CharTokenizer: byte {} of the text is not UTF-8 (ByteTokenizer takes any)", i);
    visit(text.substr(i, length), i);
    i += length;
  }
}

std::vector<std::string> characters_of(std::string_view text) {
  if (text.empty()) fail<ValueError>("CharTokenizer: a vocabulary of an empty text");
  // UTF-8 sorts by code point.
  std::set<std::string, std::less<>> seen;
  for_each_character(text, [&](std::string_view character, std::size_t) {
    if (!seen.contains(character)) seen.emplace(character);
  });
  return {seen.begin(), seen.end()};
}

}  // namespace

struct CharTokenizer::Vocabulary {
  std::vector<std::string> characters;
  std::array<std::int64_t, 128> ascii;  // what most of most texts are
  std::unordered_map<std::string_view, std::int64_t> others;
};

CharTokenizer::CharTokenizer(std::string_view text) : CharTokenizer(characters_of(text)) {}

CharTokenizer::CharTokenizer(std::vector<std::string> characters) {
  auto vocabulary = std::make_shared<Vocabulary>();
  vocabulary->characters = std::move(characters);
  vocabulary->ascii.fill(-1);
  std::int64_t id = 0;
  for (const std::string& character : vocabulary->characters) {
    if (character.size() == 1) {
      vocabulary->ascii[static_cast<unsigned char>(character[0])] = id;
    } else {
      vocabulary->others.emplace(character, id);
    }
    ++id;
  }
  vocabulary_ = std::move(vocabulary);
}

std::vector<std::int64_t> CharTokenizer::encode(std::string_view text) const {
  std::vector<std::int64_t> ids;
  ids.reserve(text.size());
  for_each_character(text, [&](std::string_view character, std::size_t place) {
    std::int64_t id = -1;
    if (character.size() == 1) {
      id = vocabulary_->ascii[static_cast<unsigned char>(character[0])];
    } else if (const auto found = vocabulary_->others.find(character); found != vocabulary_->others.end()) {
      id = found->second;
    }
    if (id < 0) {
      fail<ValueError>("CharTokenizer: '{}' at byte {} is not among the {} characters of the vocabulary",
                       temper::detail::printable(character), place, vocab_size());
    }
    ids.push_back(id);
  });
  return ids;
}

std::string CharTokenizer::decode(std::span<const std::int64_t> ids) const {
  std::string text;
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= vocab_size()) fail<ValueError>("CharTokenizer: id {} of {}", id, vocab_size());
    text += vocabulary_->characters[static_cast<std::size_t>(id)];
  }
  return text;
}

std::int64_t CharTokenizer::vocab_size() const { return static_cast<std::int64_t>(vocabulary_->characters.size()); }

std::string CharTokenizer::serialized() const {
  return nlohmann::ordered_json{{"format", format_name}, {"characters", vocabulary_->characters}}.dump(1) + "\n";
}

CharTokenizer CharTokenizer::parse(std::string_view bytes, std::string_view name) {
  const std::string shown = temper::detail::printable(name);
  temper::detail::with_path(name, [&] { temper::detail::check_json_depth(bytes); });
  const auto json = nlohmann::json::parse(bytes, nullptr, false);
  if (json.is_discarded()) fail<FileError>("{}: not JSON, expected a saved CharTokenizer", shown);
  if (!json.is_object() || json.value("format", nlohmann::json()) != format_name) {
    fail<FileError>("{}: no \"format\": \"{}\", expected a saved CharTokenizer", shown, format_name);
  }
  const auto list = json.find("characters");
  if (list == json.end() || !list->is_array() || list->empty()) {
    fail<FileError>("{}: no list of \"characters\"", shown);
  }
  std::set<std::string> seen;
  std::vector<std::string> characters;
  for (const auto& entry : *list) {
    const auto* character = entry.get_ptr<const std::string*>();
    if (character == nullptr || temper::detail::character_length(*character) != character->size() ||
        character->empty()) {
      fail<FileError>("{}: entry {} of \"characters\" is not one character", shown, characters.size());
    }
    if (!seen.insert(*character).second) {
      fail<FileError>("{}: entry {} of \"characters\", '{}', occurs twice", shown, characters.size(),
                      temper::detail::printable(*character));
    }
    characters.push_back(*character);
  }
  return CharTokenizer(std::move(characters));
}

CharTokenizer CharTokenizer::load(const std::filesystem::path& path) {
  return parse(temper::detail::read_text(path, largest_file), path.native());
}

std::vector<std::int64_t> ByteTokenizer::encode(std::string_view text) const {
  std::vector<std::int64_t> ids;
  ids.reserve(text.size());
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

std::string ByteTokenizer::decode(std::span<const std::int64_t> ids) const {
  std::string text;
  for (const std::int64_t id : ids) {
    if (id < 0 || id > 255) fail<ValueError>("ByteTokenizer: id {}, expected 0 to 255", id);
    text += static_cast<char>(id);
  }
  return text;
}

std::string ByteTokenizer::serialized() const { return "{\"format\": \"temper.bytes\"}\n"; }

}  // namespace temper::data
