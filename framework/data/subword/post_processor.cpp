#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/subword/steps_internal.hpp"
#include "framework/data/subword/post_processor_internal.hpp"

namespace temper::data::subword {

namespace {

constexpr std::size_t most_added = 4096;

std::int64_t read_id(const JsonNode& node, std::int64_t vocab_size) {
  const std::uint64_t id = node.number();
  if (id >= static_cast<std::uint64_t>(vocab_size)) fail<FileError>("{} is {} of {}", node.place(), id, vocab_size);
  return static_cast<std::int64_t>(id);
}

std::int64_t read_type(const JsonNode& node) {
  const std::uint64_t type = node.at("type_id").number();
  if (type > 255) fail<FileError>("{}.type_id is {}, expected 0 to 255", node.place(), type);
  return static_cast<std::int64_t>(type);
}

}  // namespace

PostProcessor::PostProcessor() : single_{{What::text, 0, {}}}, pair_{{What::text, 0, {}}, {What::other, 1, {}}} {}

PostProcessor::PostProcessor(const JsonNode& node, std::int64_t vocab_size) : PostProcessor() { read(node, vocab_size); }

void PostProcessor::read(const JsonNode& node, std::int64_t vocab_size) {
  const std::string type = node.at("type").text();
  if (type == "ByteLevel") return;  // moves offsets only
  if (type == "Sequence") {
    node.at("processors").each([&](const JsonNode& step) { read(step, vocab_size); });
    return;
  }
  if (type != "TemplateProcessing" && type != "BertProcessing" && type != "RobertaProcessing") {
    refuse_type(node, type, "BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing");
  }
  if (adds_) fail<FileError>("{}: a second post-processor that adds tokens is not supported", node.place());
  adds_ = true;
  if (type != "TemplateProcessing") {
    const auto special = [&](const char* key, std::int64_t of) {
      return Part{What::special, of, {read_id(node.at(key).item(1), vocab_size)}};
    };
    const std::int64_t second = type == "BertProcessing" ? 1 : 0;
    single_ = {special("cls", 0), {What::text, 0, {}}, special("sep", 0)};
    pair_ = single_;
    if (type == "RobertaProcessing") pair_.push_back(special("sep", 0));
    pair_.push_back({What::other, second, {}});
    pair_.push_back(special("sep", second));
    return;
  }
  const auto tokens = node.find("special_tokens");
  const auto read_parts = [&](const char* key, bool both) {
    std::vector<Part> parts;
    std::size_t added = 0;
    node.at(key).each([&](const JsonNode& entry) {
      if (const auto sequence = entry.find("Sequence")) {
        const std::string id = sequence->at("id").text();
        if (id != "A" && (id != "B" || !both)) {
          fail<FileError>("{}.id is neither A nor, for a pair, B", sequence->place());
        }
        parts.push_back({id == "A" ? What::text : What::other, read_type(*sequence), {}});
        return;
      }
      const JsonNode special = entry.at("SpecialToken");
      const std::string id = special.at("id").text();
      if (!tokens || !tokens->has(id)) {
        fail<FileError>("{}: '{}' is not among the special_tokens", special.place(), temper::detail::printable(id));
      }
      Part part{What::special, read_type(special), {}};
      tokens->at(id).at("ids").each([&](const JsonNode& number) { part.ids.push_back(read_id(number, vocab_size)); });
      added += part.ids.size();
      if (added > most_added) fail<FileError>("{}.{}: more than {} special tokens", node.place(), key, most_added);
      parts.push_back(std::move(part));
    });
    return parts;
  };
  single_ = read_parts("single", false);
  pair_ = read_parts("pair", true);
}

Encoding PostProcessor::fill(const std::vector<Part>& parts, std::span<const std::int64_t> text,
                        std::span<const std::int64_t> other) {
  Encoding out;
  for (const Part& part : parts) {
    const std::span<const std::int64_t> ids = part.what == What::text    ? text
                                              : part.what == What::other ? other
                                                                         : std::span<const std::int64_t>(part.ids);
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.types.insert(out.types.end(), ids.size(), part.type);
  }
  return out;
}

}  // namespace temper::data::subword
