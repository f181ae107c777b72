#include <array>
#include <vector>

#include <temper/data/records.hpp>

#include "framework/data/file_internal.hpp"
#include "framework/data/records_internal.hpp"
#include "tests/fuzz/fuzz.hpp"

/// A file of records, whatever their checksums; each record that could be reached as two tensors.
void read(const Input& input) {
  std::array<temper::Tensor, 2> fields;
  try {
    temper::data::detail::decode(input.bytes, fields);
  } catch (const temper::Error&) {
  }
  temper::detail::MemorySource source(input.bytes);
  const auto info = temper::detail::read_record_info(source);
  const auto block = temper::detail::read_record_block(source, info, 0, info.records);
  for (std::size_t i = 0; i < block.ends.size(); ++i) temper::data::detail::decode(block.record(i), fields);
}
