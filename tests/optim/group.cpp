#include <temper/optim/group.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/optim/adam.hpp>

using namespace temper;
using namespace temper::optim;

namespace {

Parameter parameter(const std::string& name, Role role) { return Parameter(zeros({2}), role).named(name); }

std::vector<Parameter> model() {
  return {parameter("embed.weight", Role::embedding),         parameter("blocks.0.fc.weight", Role::weight),
          parameter("blocks.0.fc.bias", Role::bias),          parameter("blocks.1.fc.weight", Role::weight),
          parameter("blocks.1.norm.weight", Role::norm_gain), parameter("head.weight", Role::weight)};
}

std::vector<std::string> names(const Group& group) {
  std::vector<std::string> result;
  for (const Parameter& p : group.parameters) result.push_back(p.name());
  return result;
}

}  // namespace

TEST_CASE("no decay on biases and norm gains is one line") {
  const AdamW adamw(decay_weights(model()), {.weight_decay = 0.1});
  REQUIRE(adamw.groups().size() == 2);
  CHECK(names(adamw.groups()[1]) == std::vector<std::string>{"blocks.0.fc.bias", "blocks.1.norm.weight"});
  CHECK(adamw.value("weight_decay", 0, 0) == 0.1);
  CHECK(adamw.value("weight_decay", 0, 1) == 0.0);
  const Adam adam(decay_weights(model(), "l2"), {.l2 = 0.1});
  CHECK(adam.value("l2", 0, 1) == 0.0);
}

TEST_CASE("a parameter gets the first rule that applies") {
  const Groups groups = assign(model(), {{named("blocks.?.fc.*"), {.name = "fc", .lr_scale = 0.5}},
                                         {has_role({Role::embedding}), {.name = "embedding"}},
                                         {[](const Parameter& p) { return p.shape().rank() == 5; }},
                                         {anything(), {.name = "rest"}}});
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].parameters.size() == 3);
  CHECK(names(groups[1]) == std::vector<std::string>{"embed.weight"});
  CHECK(names(groups[2]) == std::vector<std::string>{"blocks.1.norm.weight", "head.weight"});
  CHECK_THROWS_WITH_AS(assign(model(), {{named("blocks.*")}}),
                       "assign: parameter 'embed.weight' (embedding, [2]) is in no group; a last rule {anything()} "
                       "takes the rest",
                       ValueError);
  // Errors: a pattern that matches nothing, and one whose parameters all have an earlier rule. Other predicates may
  // match nothing.
  CHECK_THROWS_WITH_AS(assign(model(), {{named("hed.*"), {.lr_scale = 0.1}}, {anything()}}),
                       "assign: no parameter is named 'hed.*'; there are 'embed.weight', 'blocks.0.fc.weight', "
                       "'blocks.0.fc.bias', 'blocks.1.fc.weight', 'blocks.1.norm.weight', 'head.weight'",
                       ValueError);
  CHECK(assign(model(), {{named("blocks.*")}, {named("blocks.1.*")}, {anything()}}).size() == 2);
}

TEST_CASE("patterns") {
  const auto matches = [](const char* pattern, const char* name) {
    return named(pattern)(parameter(name, Role::weight));
  };
  CHECK(matches("*", ""));
  CHECK(matches("a*b*c", "a.b.b.c"));
  CHECK(matches("*.bias", "x.y.bias"));
  CHECK_FALSE(matches("*.bias", "x.y.biases"));
  CHECK_FALSE(matches("?", ""));
  CHECK_FALSE(matches("a", "ab"));
  CHECK(matches("**b**", "ab"));
  CHECK_FALSE(matches("a*?b", "ab"));
}

TEST_CASE("layer-wise learning rates are one line") {
  const AdamW adamw(layerwise_decay(decay_weights(model()), 0.5), {.lr = 1.0, .weight_decay = 0.1});
  std::vector<std::string> seen;
  for (std::size_t i = 0; i < adamw.groups().size(); ++i) {
    for (const std::string& name : names(adamw.groups()[i])) {
      seen.push_back(name);
      const double expected = name.starts_with("embed")      ? 0.125
                              : name.starts_with("blocks.0") ? 0.25
                              : name.starts_with("blocks.1") ? 0.5
                                                             : 1.0;
      CAPTURE(name);
      CHECK(adamw.lr(i) == expected);
    }
  }
  CHECK(seen.size() == model().size());
  CHECK(adamw.groups()[0].name == "decay, below");
}
