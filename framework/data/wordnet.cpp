#include <temper/data/wordnet.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/held_out_internal.hpp"
#include "framework/data/locate_internal.hpp"
#include "framework/data/utf8_internal.hpp"

namespace temper::data {

namespace {

constexpr std::uint64_t largest_file = 256 << 20;  // the largest of WordNet 3.0 has 15 MB

bool digits(std::string_view text, std::size_t count) {
  return text.size() == count && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 ... | gloss": the second field is the lexicographer's file.
void read_glosses(const std::filesystem::path& path, std::vector<std::string>& texts,
                  std::vector<std::int64_t>& labels) {
  const std::string name = temper::detail::printable(path.native());
  const std::string file = temper::detail::read_text(path, largest_file);
  std::size_t number = 0, found = 0;
  for (std::size_t begin = 0; begin < file.size();) {
    ++number;
    const std::size_t end = file.find('\n', begin);
    if (end == std::string::npos) fail<FileError>("{}:{}: the last line has no end: the file is cut off", name, number);
    const std::string_view line = std::string_view(file).substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("  ")) continue;  // the licence
    const auto wrong = [&](const char* what) {
      fail<FileError>("{}:{}: {}: '{}'", name, number, what, temper::detail::printable(line.substr(0, 40)));
    };
    if (line.size() < 12 || !digits(line.substr(0, 8), 8) || line[8] != ' ') wrong("does not begin with 8 digits");
    const std::string_view field = line.substr(9, 2);
    if (!digits(field, 2) || line[11] != ' ') wrong("the second field is not a number of 2 digits");
    const std::int64_t label = 10 * (field[0] - '0') + (field[1] - '0');
    if (label >= static_cast<std::int64_t>(WordNet::class_names.size())) wrong("the second field is not 00 to 44");
    const std::size_t bar = line.find(" | ");
    if (bar == std::string_view::npos) wrong("has no gloss");
    std::string_view gloss = line.substr(bar + 3);
    gloss = gloss.substr(0, gloss.find_last_not_of(" \r") + 1);
    if (gloss.empty()) wrong("has no gloss");
    texts.emplace_back(gloss);
    labels.push_back(label);
    ++found;
  }
  if (found == 0) fail<FileError>("{}: holds no glosses", name);
}

}  // namespace

WordNet::WordNet(Split split, const WordNetOptions& options) {
  const temper::detail::KnownFiles wanted{.name = "wordnet",
                                          .files = {"data.noun", "data.verb", "data.adj", "data.adv"},
                                          .install = "apt-get install wordnet-base",
                                          .installed = "/usr/share/wordnet"};
  std::vector<std::string> texts;
  std::vector<std::int64_t> labels;
  for (const auto& file : temper::detail::locate(wanted, options.path)) read_glosses(file, texts, labels);
  const auto count = static_cast<std::int64_t>(texts.size());
  for (const std::int64_t i : temper::detail::random_split(count, split, options.held_out, options.seed)) {
    texts_.push_back(std::move(texts[static_cast<std::size_t>(i)]));
    labels_.push_back(labels[static_cast<std::size_t>(i)]);
  }
}

}  // namespace temper::data
