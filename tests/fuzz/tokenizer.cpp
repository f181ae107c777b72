#include <array>

#include <temper/data/subword_tokenizer.hpp>

#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) {
  const auto tokenizer = temper::data::SubwordTokenizer::parse(input.text(), "fuzz");
  for (const char* text :
       {"The baker's 1234 cafés,  İt's  <s> [MASK]\r\n\t日本語 e\xcc\x81 \xf0\x9f\x98\x80!", "\xff aab\xe2\x82", ""}) {
    const auto encoding = tokenizer(text, "ab");
    tokenizer.decode(tokenizer.encode(text));
    tokenizer.decode_all(encoding.ids);
  }
}
