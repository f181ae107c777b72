#include <temper/data/squad.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/loader.hpp>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::error_of;
using temper_test::Folder;
using Json = nlohmann::json;

namespace {

// Written for this test. "É" is two bytes and one character.
const std::string towns = "Élodie moved to Marseille in 1987. Her brother Paul stayed in Lyon.";
const std::string rivers = "The river rises in the hills and ends in a wide delta.";

Json file() {
  return Json::parse(R"({"version": "v2.0", "data": [
    {"title": "towns", "paragraphs": [{"context": "", "qas": [
      {"id": "q1", "question": "Where did she move?", "answers": [{"text": "Marseille", "answer_start": 16},
                                                                 {"text": "to Marseille", "answer_start": 13}]},
      {"id": "q2", "question": "Who stayed in Lyon?", "answers": [{"text": "Her brother Paul", "answer_start": 35}],
       "is_impossible": false},
      {"id": "q3", "question": "Who left for Paris?", "answers": [], "is_impossible": true}]}]},
    {"title": "rivers", "paragraphs": [{"context": "", "qas": [
      {"id": "q4", "question": "Where does the river rise?", "answers": [{"text": "the hills", "answer_start": 19}]}]}]}]})");
}

std::string whole() {
  Json json = file();
  json["data"][0]["paragraphs"][0]["context"] = towns;
  json["data"][1]["paragraphs"][0]["context"] = rivers;
  return json.dump();
}

const data::SentencePiece& tokenizer() {
  static const auto instance = [] {
    const std::vector<std::string> texts{towns, rivers, "Where did she move?",
                                         "Who stayed in Lyon? Who left for Paris?"};
    return data::SentencePiece::train(texts, {.vocab_size = 60});
  }();
  return instance;
}

}  // namespace

TEST_CASE("squad: questions, contexts, answers by byte") {
  const Folder folder;
  const data::Squad squad = data::read_squad(folder.write("dev.json", whole()));
  REQUIRE(squad.questions.size() == 4);
  CHECK(squad.contexts == std::vector<std::string>{towns, rivers});
  CHECK(squad.questions[0].id == "q1");
  CHECK(squad.questions[3].context == 1);
  CHECK(squad.questions[2].answers.empty());
  for (const auto& question : squad.questions) {
    for (const auto& answer : question.answers) {
      CHECK(squad.contexts[question.context].substr(answer.begin, answer.text.size()) == answer.text);
    }
  }
  CHECK(squad.questions[0].answers[0].begin == 17);  // behind the É
}

TEST_CASE("squad: malformed files") {
  const auto error = [](const std::string& text) { return error_of([&] { data::parse_squad(text, "s.json"); }); };
  const auto changed = [&](const std::string& pointer, const Json& value) {
    Json json = Json::parse(whole());
    json[Json::json_pointer(pointer)] = value;
    return error(json.dump());
  };
  const auto without = [&](const std::string& pointer, const char* key) {
    Json json = Json::parse(whole());
    json[Json::json_pointer(pointer)].erase(key);
    return error(json.dump());
  };
  CHECK(error("") == "s.json: not JSON");
  CHECK(error(whole().substr(0, 300)) == "s.json: not JSON");
  CHECK(error(std::string(100'000, '[')) == "s.json: not JSON");
  CHECK(error(std::string(100'000, '[') + std::string(100'000, ']')) == "s.json: file has no \"data\"");
  CHECK(error("{\"data\": \"\xff\"}") == "s.json: not JSON");
  CHECK(error("[]") == "s.json: file has no \"data\"");
  CHECK(error("{\"data\": {}}") == "s.json: file.data is no list");
  CHECK(error("{\"data\": []}") == "s.json: no questions");
  const std::string paragraph = "/data/0/paragraphs/0", place = "s.json: file.data[0].paragraphs[0]";
  CHECK(without("/data/1", "paragraphs") == "s.json: file.data[1] has no \"paragraphs\"");
  CHECK(without(paragraph, "context") == place + " has no \"context\"");
  CHECK(without(paragraph, "qas") == place + " has no \"qas\"");
  CHECK(changed(paragraph + "/context", 3) == place + ".context is no text");
  CHECK(without(paragraph + "/qas/1", "question") == place + ".qas[1] has no \"question\"");
  CHECK(without(paragraph + "/qas/1", "id") == place + ".qas[1] has no \"id\"");
  CHECK(changed(paragraph + "/qas/1/answers", 3) == place + ".qas[1].answers is no list");
  const std::string answer = paragraph + "/qas/0/answers/0", there = place + ".qas[0].answers[0]";
  for (const Json& wrong : {Json(-1), Json(1.5), Json("16"), Json(nullptr)}) {
    CHECK(changed(answer + "/answer_start", wrong) == there + ".answer_start is no number from 0 on");
  }
  CHECK(changed(answer + "/answer_start", 17) == there + ": 'Marseille' does not stand at character 17 of the context");
  CHECK(changed(answer + "/answer_start", 66).starts_with(there + ": 'Marseille' does not stand at"));
  CHECK(changed(answer + "/answer_start", ~std::uint64_t{0}).starts_with(there + ": 'Marseille' does not stand at"));
  CHECK(changed(answer + "/text", "").starts_with(there + ": '' does not stand at"));
  CHECK(without(answer, "text") == there + " has no \"text\"");
}

TEST_CASE("squad data set: the tokens between start and end are the answer") {
  const data::SquadDataset dataset(data::parse_squad(whole(), "s"), tokenizer(), {.max_length = 400});
  REQUIRE(dataset.size() == 4);
  const std::vector<std::string> expected{"Marseille", "Her brother Paul", "", "the hills"};
  for (std::int64_t i = 0; i < 4; ++i) {
    CHECK(dataset.question(i) == static_cast<std::size_t>(i));
    const auto [ids, types, start, end] = dataset.get(i);
    const auto at = ids.values<std::int64_t>();
    CHECK(at.front() == tokenizer().cls());
    CHECK(at.back() == tokenizer().sep());
    CHECK(std::ranges::count(at, tokenizer().sep()) == 2);
    const auto context = std::ranges::find(types.values<std::int64_t>(), 1) - types.values<std::int64_t>().begin();
    CHECK(at[static_cast<std::size_t>(context) - 1] == tokenizer().sep());
    const auto first = static_cast<std::int64_t>(start.item()), last = static_cast<std::int64_t>(end.item());
    // A piece may hold a neighbour of the answer too, such as a full stop.
    const std::string answer(dataset.answer(i, first, last));
    CHECK(answer.find(expected[static_cast<std::size_t>(i)]) != std::string::npos);
    CHECK(answer.size() <= expected[static_cast<std::size_t>(i)].size() + 4);
    CHECK(dataset.answer(i, 0, last).empty());
    CHECK(dataset.answer(i, last, first - 1).empty());
    CHECK(dataset.answer(i, context, ids.numel() - 1).empty());
    CHECK(!dataset.answer(i, context, ids.numel() - 2).empty());
  }
  data::Loader loader(dataset, {.batch_size = 4, .workers = 2});
  for (const auto& [ids, types, starts, ends] : loader) {
    CHECK(ids.size(1) % 8 == 0);
    CHECK(types.shape() == ids.shape());
    CHECK(starts.shape() == Shape{4});
    CHECK(ids.values<std::int64_t>().back() == tokenizer().pad());
    CHECK(types.values<std::int64_t>().back() == 0);
  }
}

TEST_CASE("squad data set: a long context gives several examples, which hold all of it") {
  const auto squad = data::parse_squad(whole(), "s");
  const data::SquadDataset dataset(squad, tokenizer(), {.max_length = 40, .stride = 10, .max_question = 12});
  CHECK(dataset.size() > 4);
  std::vector<int> held(4);
  std::vector<std::int64_t> covered(4);
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const auto [ids, types, start, end] = dataset.get(i);
    CHECK(ids.numel() <= 40);
    held[dataset.question(i)] += start.item() > 0;
    const auto types_of = types.values<std::int64_t>();
    const auto context = std::ranges::find(types_of, 1) - types_of.begin();
    const std::string_view part = dataset.answer(i, context, ids.numel() - 2);
    const std::string& text = squad.contexts[squad.questions[dataset.question(i)].context];
    std::int64_t& until = covered[dataset.question(i)];
    const auto begin = static_cast<std::int64_t>(text.find(part));
    CHECK(begin <= until + 1);
    until = begin + static_cast<std::int64_t>(part.size());
  }
  for (std::size_t q = 0; q < 4; ++q) {
    CHECK((held[q] > 0) == (q != 2));
    CHECK(covered[q] == static_cast<std::int64_t>(squad.contexts[squad.questions[q].context].size()));
  }
  CHECK_THROWS_WITH_AS(data::SquadDataset(squad, tokenizer(), {.max_length = 100}),
                       "squad: max_length 100, expected at least max_question 64 + stride 128 + 3, and none below 1",
                       ValueError);
  CHECK_THROWS_WITH_AS(dataset.get(-1), ("squad: example -1 of " + std::to_string(dataset.size())).c_str(), ValueError);
}
