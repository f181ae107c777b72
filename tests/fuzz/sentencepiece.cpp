#include <temper/data/sentencepiece.hpp>

#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) {
  const auto tokenizer = temper::data::SentencePiece::parse(input.text(), "fuzz");
  tokenizer.decode(tokenizer.encode("the baker's bread"));
}
