#include <temper/data/squad.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/json_node_internal.hpp"
#include "framework/data/utf8_internal.hpp"

namespace temper::data {

namespace {

using temper::detail::printable;
using Json = nlohmann::json;
using Node = temper::detail::JsonNode;

constexpr std::uint64_t largest_file = std::uint64_t{4} << 30;

/// The byte where character number `count` begins; the text's size + 1 when there are fewer.
std::size_t byte_of(std::string_view text, std::uint64_t count) {
  std::size_t byte = 0;
  for (; count > 0 && byte < text.size(); --count) {
    byte += std::max<std::size_t>(temper::detail::character_length(text.substr(byte)), 1);
  }
  return count == 0 ? byte : text.size() + 1;
}

}  // namespace

Squad parse_squad(std::string_view text, std::string_view name) {
  try {
    // Texts that are not UTF-8, and nesting that would exhaust the stack, are refused by the parser.
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) fail<FileError>("not JSON");
    Squad squad;
    Node(json, "file").at("data").each([&](const Node& article) {
      article.at("paragraphs").each([&](const Node& paragraph) {
        squad.contexts.push_back(paragraph.at("context").text());
        const std::string& context = squad.contexts.back();
        paragraph.at("qas").each([&](const Node& entry) {
          Squad::Question question{entry.at("id").text(), entry.at("question").text(), squad.contexts.size() - 1, {}};
          if (entry.has("answers")) {
            entry.at("answers").each([&](const Node& answer) {
              const std::string words = answer.at("text").text();
              const std::uint64_t start = answer.at("answer_start").number();
              const std::size_t begin = byte_of(context, start);
              if (words.empty() || begin > context.size() || context.compare(begin, words.size(), words) != 0) {
                fail<FileError>("{}: '{}' does not stand at character {} of the context", answer.place(),
                                printable(words), start);
              }
              question.answers.push_back({words, begin});
            });
          }
          squad.questions.push_back(std::move(question));
        });
      });
    });
    if (squad.questions.empty()) fail<FileError>("no questions");
    return squad;
  } catch (const FileError& error) {
    fail<FileError>("{}: {}", printable(name), error.what());
  }
}

Squad read_squad(const std::filesystem::path& path) {
  return parse_squad(temper::detail::read_text(path, largest_file), path.native());
}

struct SquadDataset::Storage {
  struct Example {
    std::size_t question;
    std::vector<std::int32_t> ids;
    std::int64_t first_token;  // of ids that is of the context
    std::size_t first;         // which token of the context that is
    std::int64_t start, end;
  };
  Squad squad;
  std::vector<std::vector<SentencePiece::Token>> contexts;
  std::vector<Example> examples;
  std::int64_t pad, pad_multiple;

  const Example& example(std::int64_t i) const {
    if (i < 0 || i >= static_cast<std::int64_t>(examples.size())) {
      fail<ValueError>("squad: example {} of {}", i, examples.size());
    }
    return examples[static_cast<std::size_t>(i)];
  }
};

SquadDataset::SquadDataset(Squad squad, const SentencePiece& tokenizer, const SquadOptions& options) {
  if (tokenizer.pad() < 0 || tokenizer.cls() < 0 || tokenizer.sep() < 0) {
    fail<ValueError>("squad: the tokenizer needs [PAD], [CLS] and [SEP]; they are {}, {} and {}", tokenizer.pad(),
                     tokenizer.cls(), tokenizer.sep());
  }
  if (options.max_question < 1 || options.stride < 1 || options.pad_multiple < 1 ||
      options.max_length < options.max_question + 3 + options.stride) {
    fail<ValueError>("squad: max_length {}, expected at least max_question {} + stride {} + 3, and none below 1",
                     options.max_length, options.max_question, options.stride);
  }
  auto storage = std::make_shared<Storage>();
  storage->pad = tokenizer.pad();
  storage->pad_multiple = options.pad_multiple;
  for (const std::string& context : squad.contexts) storage->contexts.push_back(tokenizer.tokens(context));

  const auto narrow = [](std::int64_t id) { return static_cast<std::int32_t>(id); };
  for (std::size_t q = 0; q < squad.questions.size(); ++q) {
    const Squad::Question& question = squad.questions[q];
    const auto& context = storage->contexts[question.context];
    std::vector<std::int32_t> head{narrow(tokenizer.cls())};
    for (const std::int64_t id : tokenizer.encode(question.question)) head.push_back(narrow(id));
    head.resize(std::min(head.size(), static_cast<std::size_t>(options.max_question) + 1));
    head.push_back(narrow(tokenizer.sep()));

    // The tokens of the first answer: those that share a byte with it.
    std::size_t answer_first = context.size(), answer_last = 0;
    if (!question.answers.empty()) {
      const Squad::Answer& answer = question.answers.front();
      for (std::size_t t = 0; t < context.size(); ++t) {
        if (context[t].begin >= answer.begin + answer.text.size() || context[t].end <= answer.begin) continue;
        answer_first = std::min(answer_first, t);
        answer_last = t;
      }
    }
    const std::size_t room = static_cast<std::size_t>(options.max_length) - head.size() - 1;
    for (std::size_t first = 0;; first += static_cast<std::size_t>(options.stride)) {
      const std::size_t end = std::min(first + room, context.size());
      Storage::Example example{q, head, static_cast<std::int64_t>(head.size()), first, 0, 0};
      for (std::size_t t = first; t < end; ++t) example.ids.push_back(narrow(context[t].id));
      example.ids.push_back(narrow(tokenizer.sep()));
      if (answer_first >= first && answer_first <= answer_last && answer_last < end) {
        example.start = example.first_token + static_cast<std::int64_t>(answer_first - first);
        example.end = example.first_token + static_cast<std::int64_t>(answer_last - first);
      }
      storage->examples.push_back(std::move(example));
      if (end == context.size()) break;
    }
  }
  storage->squad = std::move(squad);
  storage_ = std::move(storage);
}

std::int64_t SquadDataset::size() const { return static_cast<std::int64_t>(storage_->examples.size()); }
const Squad& SquadDataset::squad() const { return storage_->squad; }
std::size_t SquadDataset::question(std::int64_t i) const { return storage_->example(i).question; }

namespace {

Tensor full_of(std::int64_t value, const Shape& shape) {
  Tensor tensor = empty(shape, Dtype::i64);
  std::ranges::fill(tensor.mutable_values<std::int64_t>(), value);
  return tensor;
}

}  // namespace

std::array<Tensor, 4> SquadDataset::batch(std::span<const std::int64_t> indices) const {
  const auto count = static_cast<std::int64_t>(indices.size());
  std::int64_t longest = 0;
  for (const std::int64_t i : indices) {
    longest = std::max(longest, static_cast<std::int64_t>(storage_->example(i).ids.size()));
  }
  longest = (longest + storage_->pad_multiple - 1) / storage_->pad_multiple * storage_->pad_multiple;
  Tensor ids = full_of(storage_->pad, {count, longest}), types = full_of(0, {count, longest});
  Tensor starts = empty({count}, Dtype::i64), ends = empty({count}, Dtype::i64);
  std::int64_t* id = ids.mutable_data<std::int64_t>();
  std::int64_t* type = types.mutable_data<std::int64_t>();
  std::int64_t* start = starts.mutable_data<std::int64_t>();
  std::int64_t* end = ends.mutable_data<std::int64_t>();
  for (const std::int64_t i : indices) {
    const Storage::Example& example = storage_->example(i);
    std::ranges::copy(example.ids, id);
    std::fill(type + example.first_token, type + example.ids.size(), 1);
    id += longest;
    type += longest;
    *start++ = example.start;
    *end++ = example.end;
  }
  return {std::move(ids), std::move(types), std::move(starts), std::move(ends)};
}

std::array<Tensor, 4> SquadDataset::get(std::int64_t i) const {
  const auto length = static_cast<std::int64_t>(storage_->example(i).ids.size());
  const auto [ids, types, start, end] = batch({&i, 1});
  const auto row = [&](const Tensor& padded) { return padded.view({padded.numel()}).rows(0, length); };
  return {row(ids), row(types), start.view({}), end.view({})};
}

std::string_view SquadDataset::answer(std::int64_t i, std::int64_t start, std::int64_t end) const {
  const Storage::Example& example = storage_->example(i);
  const auto length = static_cast<std::int64_t>(example.ids.size());
  if (start < example.first_token || end < start || end >= length - 1) return {};
  const std::size_t index = storage_->squad.questions[example.question].context;
  const auto token = [&](std::int64_t place) {
    return storage_->contexts[index][example.first + static_cast<std::size_t>(place - example.first_token)];
  };
  const std::string_view context = storage_->squad.contexts[index];
  std::string_view words = context.substr(token(start).begin, token(end).end - token(start).begin);
  // A piece that begins a word holds the space before it.
  words.remove_prefix(std::min(words.find_first_not_of(' '), words.size()));
  return words;
}

}  // namespace temper::data
