#include <temper/io/tokenizer.hpp>

#include <span>

#include "framework/io/atomic_file_internal.hpp"

namespace temper {

void save(const std::filesystem::path& path, const data::Tokenizer& tokenizer) {
  const std::string bytes = tokenizer.serialized();
  detail::AtomicFile file(path);
  file.write(std::as_bytes(std::span(bytes)));
  file.commit();
}

}  // namespace temper
