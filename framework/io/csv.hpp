#pragma once

#include <filesystem>

#include <temper/data/csv.hpp>

namespace temper {

/// Writes comma-separated values, all or nothing, which data::read_csv reads back: a field is quoted where it must be,
/// lines end in "\n". Without a `header` none is written. Throws: ValueError, before anything is written, for a row
/// that has not as many fields as the first line, or a delimiter that is a quote or a line's end; FileError that begins
/// with the path. Source: RFC 4180.
void save_csv(const std::filesystem::path& path, const data::CsvTable& table, char delimiter = ',');

}  // namespace temper
