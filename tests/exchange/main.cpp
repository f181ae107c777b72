// exchange FOLDER: writes models for other programs, which check.py then runs.
// exchange --embeddings MODEL RECORDED: compares embeddings of a model of Hugging Face's with recorded ones.

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "tests/exchange/exchange.hpp"

int main(int count, char** arguments) try {
  namespace exchange = temper::exchange;
  if (count == 4 && std::string(arguments[1]) == "--embeddings") {
    const double difference = exchange::compare_embeddings(arguments[2], arguments[3]);
    std::printf("embeddings differ by at most %.1e, allowed are 1e-4\n", difference);
    return difference <= 1e-4 ? 0 : 1;
  }
  if (count != 2) {
    std::fputs("exchange FOLDER\nexchange --embeddings MODEL RECORDED\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  std::filesystem::remove_all(folder / "onnx");
  std::filesystem::remove_all(folder / "transformers");
  exchange::write_onnx_models(folder / "onnx");
  exchange::write_onnx_operations(folder / "onnx");
  exchange::write_folders(folder / "transformers");
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "exchange: %s\n", error.what());
  return 1;
}
