#include "tests/data/fuzz.hpp"

#include <cstring>
#include <span>

#include "framework/data/file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"

using namespace temper;

namespace {

std::string file(const std::string& header, std::size_t bytes) {
  const std::uint64_t length = header.size();
  std::string prefix(8, '\0');
  std::memcpy(prefix.data(), &length, 8);
  return prefix + header + std::string(bytes, 'x');
}

}  // namespace

TEST_CASE("fuzz: safetensors") {
  temper_test::fuzz({file(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", 16),
                     file(R"({"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
                          R"("b":{"dtype":"I64","shape":[],"data_offsets":[12,20]}}  )",
                          20),
                     file(R"({"z":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]}})", 0)},
                    20'000, [](const std::string& bytes) {
                      detail::MemorySource source(std::as_bytes(std::span(bytes)));
                      detail::read_safetensors(source, {});
                    });
}
