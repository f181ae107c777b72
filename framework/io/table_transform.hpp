#pragma once

#include <filesystem>

#include <temper/data/table_transform.hpp>

namespace temper {

/// Writes what a transform of tables has learned to a file, all or nothing; data::TableTransform::load(path) reads it.
/// Throws: FileError that begins with the path.
void save(const std::filesystem::path& path, const data::TableTransform& transform);

}  // namespace temper
