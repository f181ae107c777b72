#pragma once

#include <filesystem>

#include <temper/data/tokenizer.hpp>

namespace temper {

/// Writes a tokenizer to a file, all or nothing; its class reads it: data::SentencePiece::load(path).
/// Throws: FileError that begins with the path.
void save(const std::filesystem::path& path, const data::Tokenizer& tokenizer);

}  // namespace temper
