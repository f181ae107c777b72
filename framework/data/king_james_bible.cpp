#include <temper/data/king_james_bible.hpp>

#include <temper/data/text.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/process_internal.hpp"

namespace temper::data {

namespace {

constexpr std::uint64_t largest_text = 64 << 20;  // it has 4.4 MB
constexpr std::size_t all_books = 66, all_verses = 31102;
constexpr const char* install = "apt-get install bible-kjv bible-kjv-text";

std::string printed_by_program() {
  const auto run = temper::detail::run_process({"bible", "-f", "gen1:1-rev22:21"}, largest_text);
  if (!run.found) {
    fail<FileError>(
        "king james bible: there is no program `bible`. Install it with\n  {}\nor say which file holds what "
        "it prints",
        install);
  }
  if (run.status != 0 || run.out.empty()) {
    fail<FileError>(
        "king james bible: the program `bible` ended with status {} and {} bytes of text. Its text may be "
        "missing; install it with\n  {}",
        run.status, run.out.size(), install);
  }
  return run.out;
}

/// "1Sm10:3 text": the length of the name, "1Sm"; and of the whole reference with its space. 0 when it is not there.
struct Reference {
  std::size_t name = 0, length = 0;
};

Reference reference_of(std::string_view line) {
  constexpr std::string_view digits = "0123456789";
  const std::size_t colon = line.find(':'), space = line.find(' ');
  if (space == std::string_view::npos || colon >= space || colon + 1 == space) return {};
  if (line.substr(colon + 1, space - colon - 1).find_first_not_of(digits) != std::string_view::npos) return {};
  const std::size_t name = line.substr(0, colon).find_last_not_of(digits);
  if (name == std::string_view::npos || name + 1 == colon) return {};
  return {name + 1, space + 1};
}

}  // namespace

KingJamesBible::KingJamesBible(const KingJamesBibleOptions& options) {
  const std::string printed =
      options.path.empty() ? printed_by_program() : temper::detail::read_text(options.path, largest_text);
  const std::string source = options.path.empty() ? "bible" : temper::detail::printable(options.path.native());

  std::vector<std::string> texts;
  std::size_t verses = 0;
  for (std::size_t begin = 0; begin < printed.size();) {
    const std::size_t end = std::min(printed.find('\n', begin), printed.size());
    const std::string_view line = std::string_view(printed).substr(begin, end - begin);
    begin = end + 1;
    ++verses;
    const Reference reference = reference_of(line);
    if (reference.length == 0 || reference.length == line.size()) {
      fail<FileError>("{}:{}: expected a verse such as 'Ge1:1 In the beginning', this is '{}'", source, verses,
                      temper::detail::printable(line.substr(0, 40)));
    }
    const std::string_view name = line.substr(0, reference.name);
    if (books_.empty() || books_.back().name != name) {
      books_.push_back({std::string(name), {}, {}});
      texts.emplace_back();
    }
    texts.back().append(line.substr(reference.length)).push_back('\n');
  }
  if (books_.size() != all_books || verses != all_verses) {
    fail<FileError>("{}: {} books with {} verses, expected {} with {}", source, books_.size(), verses, all_books,
                    all_verses);
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto [train, test] = split_text(texts[i], options.held_out);
    books_[i].train = std::move(train);
    books_[i].test = std::move(test);
  }
}

std::string KingJamesBible::text(Split split) const {
  std::string all;
  for (const Book& book : books_) all += split == Split::train ? book.train : book.test;
  return all;
}

}  // namespace temper::data
