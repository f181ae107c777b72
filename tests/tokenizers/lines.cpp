// Tokenizes lines for check.py and compare.py: lines TOKENIZER LINES OUT writes what a tokenizer makes of each line;
// lines TOKENIZER LINES --seconds S prints how many million bytes it encodes, and ids it decodes, in a second.
// lines train LINES OUT VOCAB_SIZE trains one.

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <temper/data/sentencepiece.hpp>
#include <temper/data/subword_tokenizer.hpp>
#include <temper/io/tokenizer.hpp>

using namespace temper;

namespace {

std::vector<std::string> read_lines(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> lines;
  for (std::size_t place = 0; place + 4 <= bytes.size();) {
    std::uint32_t size = 0;
    std::memcpy(&size, bytes.data() + place, 4);
    lines.push_back(bytes.substr(place + 4, size));
    place += 4 + size;
  }
  return lines;
}

void write(std::ofstream& out, const std::vector<std::int64_t>& ids) {
  std::vector<std::uint32_t> words{static_cast<std::uint32_t>(ids.size())};
  for (const std::int64_t id : ids) words.push_back(static_cast<std::uint32_t>(id));
  out.write(reinterpret_cast<const char*>(words.data()), static_cast<std::streamsize>(4 * words.size()));
}

void write(std::ofstream& out, const std::string& text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  out.write(reinterpret_cast<const char*>(&size), 4);
  out.write(text.data(), size);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void time(const data::Tokenizer& tokenizer, const std::vector<std::string>& lines, double seconds) {
  std::vector<std::vector<std::int64_t>> ids;
  std::size_t bytes = 0, count = 0;
  auto begin = std::chrono::steady_clock::now();
  double taken = 0.0;
  do {
    ids.clear();
    for (const std::string& line : lines) {
      ids.push_back(tokenizer.encode(line));
      bytes += line.size();
    }
    taken = seconds_since(begin);
  } while (taken < seconds);
  std::printf("%.4f", static_cast<double>(bytes) / 1e6 / taken);
  begin = std::chrono::steady_clock::now();
  do {
    for (const auto& line : ids) {
      const std::string text = tokenizer.decode(line);
      count += line.size();
    }
    taken = seconds_since(begin);
  } while (taken < seconds);
  std::printf(" %.4f\n", static_cast<double>(count) / 1e6 / taken);
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 3) return 2;
  const auto lines = read_lines(arguments[1].c_str());
  if (arguments[0] == "train") {
    save(arguments[2], data::SubwordTokenizer::train(lines, {.vocab_size = std::stoll(arguments.at(3))}));
    return 0;
  }
  std::unique_ptr<const data::Tokenizer> tokenizer;
  const data::SubwordTokenizer* subwords = nullptr;
  if (arguments[0].ends_with(".model")) {
    tokenizer = std::make_unique<data::SentencePiece>(data::SentencePiece::load(arguments[0]));
  } else {
    auto read = std::make_unique<data::SubwordTokenizer>(arguments[0].ends_with(".txt")
                                                             ? data::SubwordTokenizer::load_vocabulary(arguments[0])
                                                             : data::SubwordTokenizer::load(arguments[0]));
    subwords = read.get();
    tokenizer = std::move(read);
  }
  if (arguments[2] == "--seconds") {
    time(*tokenizer, lines, std::stod(arguments.at(3)));
    return 0;
  }
  std::ofstream out(arguments[2], std::ios::binary);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto ids = tokenizer->encode(lines[i]);
    write(out, ids);
    write(out, tokenizer->decode(ids));
    if (subwords == nullptr) continue;
    const bool pair = i % 8 == 7;
    const data::Encoding encoding = pair ? (*subwords)(lines[i], lines[i - 1]) : (*subwords)(lines[i]);
    write(out, encoding.ids);
    write(out, encoding.types);
    write(out, subwords->decode_all(encoding.ids));
  }
  return out ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
