#include <temper/data/subword_tokenizer.hpp>

#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) {
  const auto tokenizer = temper::data::SubwordTokenizer::parse_vocabulary(input.text(), "fuzz");
  tokenizer.decode(tokenizer.encode("The baker's cafés, unaffable \xff"));
}
