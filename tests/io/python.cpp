#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <temper/io/safetensors.hpp>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::Folder;

namespace {

/// The Python scripts of the page, in order.
std::vector<std::string> scripts_of(const std::filesystem::path& page) {
  std::vector<std::string> scripts;
  std::istringstream lines(Folder::read(page));
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (inside && line == "```") {
      inside = false;
    } else if (inside) {
      scripts.back() += line + '\n';
    } else if (line == "```python") {
      inside = true;
      scripts.emplace_back();
    }
  }
  return scripts;
}

/// A python3 with numpy, which the first one on the path may lack.
std::string python() {
  for (const std::string candidate : {"/usr/bin/python3", "python3"}) {
    if (std::system((candidate + " -c 'import numpy' > /dev/null 2>&1").c_str()) == 0) return candidate;
  }
  return "";
}

}  // namespace

TEST_CASE("docs/safetensors.md: its scripts, with numpy only, read Temper's files and write files that Temper reads") {
  const std::vector<std::string> scripts =
      scripts_of(std::filesystem::path(TEMPER_TEST_DIR).parent_path() / "docs" / "safetensors.md");
  REQUIRE(scripts.size() == 2);
  for (const std::string& script : scripts) CHECK(std::ranges::count(script, '\n') <= 20);
  const std::string interpreter = python();
  REQUIRE_MESSAGE(!interpreter.empty(), "no python3 has numpy; apt-get install python3-numpy");
  const Folder folder;
  const auto run = [&](const std::string& script, const std::string& argument) {
    const std::string command = interpreter + " " + folder.write("script.py", script).native() + " " +
                                (folder / argument).native() + " > " + (folder / "output").native();
    REQUIRE(std::system(command.c_str()) == 0);
    return Folder::read(folder / "output");
  };

  Tensor halves = empty({2}, Dtype::bf16);
  halves.mutable_data<BFloat16>()[0] = {0x3fc0};  // 1.5
  halves.mutable_data<BFloat16>()[1] = {0x4000};  // 2
  Tensor mask = empty({3}, Dtype::boolean);
  std::ranges::fill(mask.mutable_values<bool>(), true);
  save_tensors(folder / "ours",
               {{"fc.weight", from({0.5f, 1, 2, 3, 4, 5.25f}, {2, 3})},
                {"halves", halves},
                {"labels", indices({1ll << 40, -1})},
                {"mask", mask},
                {"scalar", scalar(-0.125f)}},
               {{"note", "text"}});
  std::istringstream output(run(scripts[0], "ours"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(output, line);) lines.push_back(line);
  std::ranges::sort(lines);
  CHECK(lines == std::vector<std::string>{"fc.weight float32 (2, 3) 15.75", "halves float32 (2,) 3.5",
                                          "labels int64 (2,) 1099511627775.0", "mask bool (3,) 3.0",
                                          "scalar float32 () -0.125"});

  run(scripts[1], "theirs");
  const Tensors theirs = load_tensors(folder / "theirs").tensors;
  CHECK(theirs.size() == 3);
  CHECK(theirs.at("weight").shape() == Shape{2, 3});
  for (std::size_t i = 0; i < 6; ++i) CHECK(theirs.at("weight").values<float>()[i] == 0.25f * static_cast<float>(i));
  CHECK(theirs.at("steps").shape() == Shape{});
  CHECK(theirs.at("steps").item() == 7);
  const auto truth = theirs.at("mask").values<bool>();
  CHECK(std::vector<bool>(truth.begin(), truth.end()) == std::vector<bool>{true, false, true});
}
