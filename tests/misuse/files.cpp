#include <doctest/doctest.h>

#include "framework/data/file_internal.hpp"
#include "tests/misuse/misuse.hpp"

namespace temper::test {

TEST_CASE("loading what does not fit") {
  check({
      refuses<detail::ReadError>("not-there.safetensors: cannot open: No such file or directory",
                                 [](Program& p) { load(p.folder / "not-there.safetensors", p.model); }),
      refuses<FileError>("short.safetensors: file_too_small: 3 bytes, expected at least 8",
                         [](Program& p) { load(p.folder.write("short.safetensors", "abc"), p.model); }),
      refuses<FileError>(
          ": does not fit the model, nothing was loaded:"
          "\n  missing: 0.bias f32 [2]"
          "\n  different: 4.weight is f32 [8, 3], the model expects f32 [3, 8]"
          "\n  not expected: head.weight f32 [1]",
          [](Program& p) { load(p.folder / "net.safetensors", p.model); },
          [](Program& p) {
            Tensors state = state_dict(p.model);
            state.erase("0.bias");
            state["4.weight"] = ones({8, 3});
            state["head.weight"] = ones({1});
            save_tensors(p.folder / "net.safetensors", state);
          }),
      refuses<FileError>("load_state_dict: does not fit the model, nothing was loaded:"
                         "\n  different: 4.bias is i64 [3], the model expects f32 [3]",
                         [](Program& p) {
                           Tensors state = state_dict(p.model);
                           state["4.bias"] = indices({1, 2, 3});
                           load_state_dict(p.model, state);
                         }),
      refuses<FileError>(
          "net.safetensors: checksum_mismatch: tensor '4.weight' has CRC-32 ",
          [](Program& p) { load(p.folder / "net.safetensors", p.model); },
          [](Program& p) {
            save(p.folder / "net.safetensors", p.model);
            std::string bytes = temper_test::Folder::read(p.folder / "net.safetensors");
            bytes.back() = static_cast<char>(bytes.back() ^ 1);
            p.folder.write("net.safetensors", bytes);
          }),
      refuses<FileError>("a-file: expected a folder, this is a file",
                         [](Program& p) {
                           p.folder.write("a-file", "text");
                           save(p.folder / "a-file/net", p.model);
                         }),
  });
}

TEST_CASE("data sets and loaders") {
  using namespace data;
  check({
      refuses<ValueError>("loader: batch_size 0, expected at least 1",
                          [](Program& p) { Loader(TensorDataset(p.images, p.labels), {.batch_size = 0}); }),
      refuses<ValueError>("loader: -1 workers, expected 0 or more",
                          [](Program& p) { Loader(TensorDataset(p.images, p.labels), {.workers = -1}); }),
      refuses<ValueError>("loader: prefetch -1, expected 0 or more",
                          [](Program& p) { Loader(TensorDataset(p.images, p.labels), {.prefetch = -1}); }),
      refuses<ValueError>("loader: cannot restore epoch 1, batch 9: epochs count from 1 and have 3 batches",
                          [](Program& p) { p.loader.restore({.epoch = 1, .batch = 9}); }),
      refuses<ShapeError>("tensor data set: fields [2, 4, 4, 1] and [3] have different numbers of examples",
                          [](Program& p) {
                            return TensorDataset(p.images, indices({0, 1, 2}));
                          }),
      refuses<ShapeError>("rows: 9 to 10 of tensor [6, 4, 4, 1]", [](Program& p) { return p.loader.dataset().get(9); }),
      refuses<FileError>("train-images",
                         [](Program& p) { return FashionMnist(Split::train, {.path = p.folder.path()}); }),
  });
}

}  // namespace temper::test
