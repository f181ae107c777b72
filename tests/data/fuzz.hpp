#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include <temper/core/errors.hpp>

namespace temper_test {

/// How many damaged files each reader is tried on: TEMPER_FUZZ, or what a run of the suite has time for.
inline std::int64_t fuzz_runs(std::int64_t usual) {
  const char* wanted = std::getenv("TEMPER_FUZZ");
  return wanted == nullptr ? usual : std::atoll(wanted);
}

/// One of the files, changed in a few places: bits flipped, bytes overwritten by edge values, pieces removed, repeated
/// or put elsewhere, the end cut off.
inline std::string damaged(const std::vector<std::string>& files, std::mt19937_64& random) {
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  std::string file = files[below(files.size())];
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    if (file.empty()) file.push_back('\0');
    const std::size_t place = below(file.size()), length = 1 + below(std::min<std::size_t>(file.size() - place, 16));
    switch (below(7)) {
      case 0: file[place] = static_cast<char>(file[place] ^ (1 << below(8))); break;
      case 1: file[place] = static_cast<char>("\x00\xff\x7f\x80\x01\"\\[]{},\n "[below(15)]); break;
      case 2: file.erase(place, length); break;
      case 3: file.insert(below(file.size() + 1), file.substr(place, length)); break;
      case 4: file.resize(place); break;
      case 5: {  // a piece of another file
        const std::string& other = files[below(files.size())];
        if (other.empty()) break;
        const std::size_t from = below(other.size());
        file.insert(place, other.substr(from, 1 + below(32)));
        break;
      }
      default:
        for (std::size_t i = 0; i < length; ++i) file[place + i] = static_cast<char>(random());
    }
  }
  return file;
}

/// Damaged files are read or refused by an Error; anything else is a failure, or a crash. Returns how many were
/// refused.
template <class Read>
std::int64_t fuzz(const std::vector<std::string>& files, std::int64_t usual, Read read) {
  for (const std::string& file : files) CHECK_NOTHROW(read(file));
  std::int64_t refused = 0;
  const std::int64_t runs = fuzz_runs(usual);
  for (std::int64_t run = 0; run < runs; ++run) {
    std::mt19937_64 random(static_cast<std::uint64_t>(run));
    const std::string file = damaged(files, random);
    try {
      read(file);
    } catch (const temper::Error&) {
      ++refused;
    } catch (const std::exception& error) {
      FAIL("run " << run << " of " << runs << ": " << error.what());
    }
  }
  CHECK(refused > runs / 10);
  return refused;
}

}  // namespace temper_test
