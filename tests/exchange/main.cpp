// Writes models for other programs, which check.py then runs: exchange FOLDER.

#include <cstdio>
#include <exception>
#include <filesystem>

#include "tests/exchange/exchange.hpp"

int main(int count, char** arguments) try {
  if (count != 2) {
    std::fputs("exchange FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  std::filesystem::remove_all(folder / "onnx");
  std::filesystem::remove_all(folder / "transformers");
  temper::exchange::write_onnx(folder / "onnx");
  temper::exchange::write_folders(folder / "transformers");
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "exchange: %s\n", error.what());
  return 1;
}
