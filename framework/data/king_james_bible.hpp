#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <temper/data/split.hpp>

namespace temper::data {

struct KingJamesBibleOptions {
  std::filesystem::path path = {};  ///< a file of what `bible -f gen1:1-rev22:21` prints; by default it is run
  double held_out = 0.1;            ///< share of every book, at its end, that is Split::test
};

/// The King James Bible: 66 books, 31,102 verses, 4.1 million characters of ASCII. The text is what the `bible` program
/// prints, one verse a line, without the reference ("Ge1:1 ") at the beginning of the line, and nothing else changed.
/// Of each book the last verses are held out: those that begin at or after 90% of its characters.
class KingJamesBible {
 public:
  /// Throws: FileError when the program or its text is not installed (with the command that installs them), or what is
  /// read is not the whole Bible; ValueError for a share outside 0 to 1.
  explicit KingJamesBible(const KingJamesBibleOptions& options = {});

  struct Book {
    std::string name;         ///< as the program abbreviates it: "Ge", "1Sm"
    std::string train, test;  ///< whole lines
  };
  const std::vector<Book>& books() const { return books_; }
  /// That part of all books, one after the other.
  std::string text(Split split) const;

 private:
  std::vector<Book> books_;
};

}  // namespace temper::data
