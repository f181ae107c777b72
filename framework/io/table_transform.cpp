#include <temper/io/table_transform.hpp>

#include <span>
#include <string>

#include "framework/io/atomic_file_internal.hpp"

namespace temper {

void save(const std::filesystem::path& path, const data::TableTransform& transform) {
  const std::string text = transform.serialized() + "\n";
  detail::AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace temper
