#include <doctest/doctest.h>

#include <string>

#include <temper/core/errors.hpp>
#include <temper/io/safetensors.hpp>
#include <temper/io/shards.hpp>

#include "framework/io/safetensors_internal.hpp"
#include "tests/data/files.hpp"

using namespace temper;
using temper_test::error_of;
using temper_test::Folder;

namespace {

/// Tensors a and b in one file, c in another, and their index.
struct Shards : Folder {
  Shards() {
    save_tensors(*this / "model-00001-of-00002.safetensors", {{"a", full({2}, 1.0f)}, {"b", full({3}, 2.0f)}});
    save_tensors(*this / "model-00002-of-00002.safetensors", {{"c", full({4}, 3.0f)}});
    index(R"("a":"model-00001-of-00002.safetensors","b":"model-00001-of-00002.safetensors",)"
          R"("c":"model-00002-of-00002.safetensors")");
  }
  std::filesystem::path index(const std::string& map) const {
    return write("model.safetensors.index.json", R"({"metadata":{"total_size":36},"weight_map":{)" + map + "}}");
  }
  std::string error(const std::string& map) const {
    const auto path = index(map);
    const std::string text = error_of([&] { load_tensors(path); });
    return text.starts_with(path.native()) ? text.substr(path.native().size()) : text;
  }
};

}  // namespace

TEST_CASE("shards: the index or the folder is the whole model") {
  const Shards shards;
  for (const auto& path : {shards / "model.safetensors.index.json", shards.path()}) {
    const TensorFile file = load_tensors(path);
    CHECK(file.tensors.size() == 3);
    CHECK(file.tensors.at("c").values<float>()[3] == 3.0f);
  }
  const auto only_b = [](std::string_view name) { return name == "b"; };
  const TensorFile part = load_tensors(shards.path(), {.wanted = only_b});
  CHECK(part.tensors.size() == 1);
  CHECK(part.left_out.size() == 2);
  CHECK(error_of([&] {
          load_tensors(shards.path(), {.max_bytes = 35});
        }).find("too_large: 16 bytes of tensors, the limit is 15") != std::string::npos);
  CHECK(load_tensors(shards.path(), {.max_bytes = 36}).tensors.size() == 3);
}

TEST_CASE("shards: a folder with one file needs no index; one with neither says so") {
  const Folder folder;
  CHECK(error_of([&] { load_tensors(folder.path()); }) ==
        folder.path().native() + ": a folder without model.safetensors or model.safetensors.index.json");
  save_tensors(folder / "model.safetensors", {{"a", ones({2})}});
  CHECK(load_tensors(folder.path()).tensors.size() == 1);
}

TEST_CASE("shards: an index that is not JSON, contradicts the files, or points outside the folder") {
  const Shards shards;
  CHECK(shards.error(R"("a":"../model.safetensors")") ==
        R"(: index_bad_file: tensor 'a' is in "../model.safetensors", expected a file beside the index)");
  for (const char* outside : {"\"..\"", "\"/etc/passwd\"", "\"a/b\"", "\"\"", "7", R"("a\u0000b")", R"("a\\b")"}) {
    CHECK(shards.error(R"("a":)" + std::string(outside)).starts_with(": index_bad_file: tensor 'a' is in "));
  }
  CHECK(shards.error(R"("a":"model-00001-of-00002.safetensors","d":"model-00002-of-00002.safetensors")") ==
        ": index and shards differ:\n  not in the index: b of model-00001-of-00002.safetensors"
        "\n  not in the index: c of model-00002-of-00002.safetensors"
        "\n  not in its file: d of model-00002-of-00002.safetensors");
  CHECK(shards.error("") == ": index_without_map: no \"weight_map\" of tensors and files");
  CHECK(shards.error(R"("a":"gone.safetensors")").find("gone.safetensors: cannot open") != std::string::npos);
  const auto path = shards.write("model.safetensors.index.json", "[");
  CHECK(error_of([&] { load_tensors(path); }) == path.native() + ": index_not_json: expected an index of shards");
}

TEST_CASE("shards are written up to a size, with an index that load_tensors reads") {
  const Folder folder;
  const Tensors tensors = {
      {"a", full({2}, 1.0f)}, {"b", full({3}, 2.0f)}, {"c", full({9}, 3.0f)}, {"d", full({1}, 4.0f)}};
  const auto holds = [&](const char* file) { return std::filesystem::exists(folder / file); };
  save_shards(folder.path(), tensors, {.max_bytes = 20}, {{"format", "pt"}});
  // a and b have 20 bytes together; c alone has more.
  CHECK(load_tensors(folder / "model-00001-of-00003.safetensors").tensors.size() == 2);
  CHECK(load_tensors(folder / "model-00002-of-00003.safetensors").tensors.contains("c"));
  CHECK(load_tensors(folder / "model-00003-of-00003.safetensors").metadata.at("format") == "pt");
  CHECK(Folder::read(folder / "model.safetensors.index.json") ==
        "{\n  \"metadata\": {\n    \"total_size\": 60\n  },\n  \"weight_map\": {\n"
        "    \"a\": \"model-00001-of-00003.safetensors\",\n    \"b\": \"model-00001-of-00003.safetensors\",\n"
        "    \"c\": \"model-00002-of-00003.safetensors\",\n    \"d\": \"model-00003-of-00003.safetensors\"\n  }\n}\n");
  const Tensors read = load_tensors(folder.path()).tensors;
  CHECK(read.size() == 4);
  CHECK(read.at("c").values<float>()[8] == 3.0f);

  // What was there never mixes with what comes.
  save_shards(folder.path(), {{"e", ones({2})}});
  CHECK(!holds("model.safetensors.index.json"));
  CHECK(load_tensors(folder.path()).tensors.contains("e"));
  save_shards(folder.path(), tensors, {.max_bytes = 1});
  CHECK(!holds("model.safetensors"));
  CHECK(load_tensors(folder.path()).tensors.size() == 4);

  CHECK(error_of([&] { save_shards(folder.path(), tensors, {.max_bytes = 0}); }) ==
        "save_shards: max_bytes 0, expected at least 1");
  CHECK(error_of([&] { save_shards(folder.path(), Tensors()); }) == folder.path().native() + ": no tensors to save");
  CHECK(error_of([&] {
          save_shards(folder.path(), {{"a", ones({2})}, {"b\n", ones({2})}});
        }).find("tensor's name") != std::string::npos);
  CHECK(load_tensors(folder.path()).tensors.size() == 4);
}

TEST_CASE("files of PyTorch's own format are refused with the lines of Python that convert them") {
  const Folder folder;
  const std::string lines =
      "; if PyTorch wrote it, convert it in Python:\n"
      "  import torch, safetensors.torch as st\n"
      "  st.save_file({k: v.clone() for k, v in torch.load(\"FILE\", weights_only=True).items()}, "
      "\"model.safetensors\")";
  const auto path =
      folder.write("pytorch_model.bin", std::string("PK\x03\x04\x14\0\0\0\0\0", 10) + std::string(30, 'x'));
  CHECK(error_of([&] { load_tensors(path); }) ==
        path.native() + ": not_safetensors: this is a zip archive, as torch.save and numpy.savez write" + lines);
  CHECK(error_of([&] { load_tensors(folder.path()); }) ==
        folder.path().native() +
            ": a folder without model.safetensors or model.safetensors.index.json, with pytorch_model.bin" + lines);
  const auto pickle = folder.write("old.pt", "\x80\x02\x8a\nl\xfc\x9c\x46\xf9" + std::string(30, 'x'));
  CHECK(error_of([&] { load_tensors(pickle); }).ends_with(lines));
}
