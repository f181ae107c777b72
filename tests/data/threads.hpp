#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <temper/data/tokenizer.hpp>

namespace temper_test {

/// How often one of four threads that encode these texts at once gets other tokens than a thread alone.
inline int differences_between_threads(const temper::data::Tokenizer& tokenizer,
                                       const std::vector<std::string>& texts) {
  std::vector<std::vector<std::int64_t>> expected;
  for (const auto& text : texts) expected.push_back(tokenizer.encode(text));
  std::array<int, 4> wrong{};
  {
    std::vector<std::jthread> threads;
    for (int& count : wrong) {
      threads.emplace_back([&] {
        for (std::size_t i = 0; i < texts.size(); ++i) count += tokenizer.encode(texts[i]) != expected[i];
      });
    }
  }
  return std::accumulate(wrong.begin(), wrong.end(), 0);
}

}  // namespace temper_test
