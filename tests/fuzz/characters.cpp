#include <array>

#include <temper/data/char_tokenizer.hpp>

#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) {
  const auto tokenizer = temper::data::CharTokenizer::parse(input.text(), "fuzz");
  tokenizer.encode(tokenizer.decode(std::array<std::int64_t, 2>{0, tokenizer.vocab_size() - 1}));
}
