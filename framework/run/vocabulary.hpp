#pragma once

#include <span>
#include <string>

#include <temper/run/run.hpp>

namespace temper {

/// The pieces of words of a run: chosen by its training texts and kept in its folder, where a resumed run finds them.
/// Throws: FileError when those in the folder are damaged; ValueError as data::SentencePiece::train does.
data::SentencePiece vocabulary(Run& run, std::span<const std::string> texts, const data::SentencePieceOptions& options);

}  // namespace temper
