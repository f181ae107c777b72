#include <temper/io/token_file.hpp>

#include <cstring>
#include <string>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/data/npy_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"

namespace temper {

namespace {

constexpr std::size_t write_at_once = 1 << 20;
constexpr std::int64_t most_of_two_bytes = 1 << 16;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

struct TokenFileWriter::Impl {
  Impl(const std::filesystem::path& path, std::int64_t its_vocab_size) : vocab_size(its_vocab_size), file(path) {
    file.write(bytes_of(header(0)));  // room for the one that says how many tokens there are
  }

  /// Of 128 bytes for any number of tokens.
  std::string header(std::int64_t count) const { return detail::npy_header(wide() ? "<u4" : "<u2", {count}); }
  bool wide() const { return vocab_size > most_of_two_bytes; }
  void flush() {
    file.write(waiting);
    waiting.clear();
  }
  void check_open() const {
    if (committed) fail<ValueError>("TokenFileWriter: the file was committed already");
  }

  const std::int64_t vocab_size;
  detail::AtomicFile file;
  std::vector<std::byte> waiting;  // for a write of some size
  std::int64_t tokens = 0;
  bool committed = false;
};

TokenFileWriter::TokenFileWriter(const std::filesystem::path& path, const TokenFileWriterOptions& options) {
  if (options.vocab_size < 1 || options.vocab_size > std::int64_t{1} << 32) {
    fail<ValueError>("TokenFileWriter: vocab_size {}, expected 1 to 2^32", options.vocab_size);
  }
  impl_ = std::make_unique<Impl>(path, options.vocab_size);
}
TokenFileWriter::~TokenFileWriter() = default;
TokenFileWriter::TokenFileWriter(TokenFileWriter&&) noexcept = default;
TokenFileWriter& TokenFileWriter::operator=(TokenFileWriter&&) noexcept = default;

void TokenFileWriter::write(std::span<const std::int64_t> tokens) {
  impl_->check_open();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || tokens[i] >= impl_->vocab_size) {
      fail<ValueError>("TokenFileWriter: token {} is {}, expected 0 to {}",
                       impl_->tokens + static_cast<std::int64_t>(i), tokens[i], impl_->vocab_size - 1);
    }
  }
  const auto put = [this](auto token) {
    std::vector<std::byte>& waiting = impl_->waiting;
    waiting.resize(waiting.size() + sizeof token);
    std::memcpy(waiting.data() + waiting.size() - sizeof token, &token, sizeof token);
    if (impl_->waiting.size() >= write_at_once) impl_->flush();
  };
  for (const std::int64_t token : tokens) {
    if (impl_->wide()) {
      put(static_cast<std::uint32_t>(token));
    } else {
      put(static_cast<std::uint16_t>(token));
    }
  }
  impl_->tokens += std::ssize(tokens);
}

std::int64_t TokenFileWriter::size() const { return impl_->tokens; }

void TokenFileWriter::commit() {
  impl_->check_open();
  impl_->flush();
  impl_->file.write_at(0, bytes_of(impl_->header(impl_->tokens)));
  impl_->file.commit();
  impl_->committed = true;
}

}  // namespace temper
