#include <temper/core/dtype.hpp>

#include <ostream>

#include "framework/core/format_internal.hpp"

namespace temper {

std::size_t size_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return 4;
    case Dtype::bf16: return 2;
    case Dtype::i64: return 8;
    case Dtype::boolean: return 1;
  }
  return 0;
}

std::string to_string(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return "f32";
    case Dtype::bf16: return "bf16";
    case Dtype::i64: return "i64";
    case Dtype::boolean: return "bool";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& out, Dtype dtype) { return out << to_string(dtype); }

}  // namespace temper

fmt::appender fmt::formatter<temper::Dtype>::format(temper::Dtype dtype, fmt::format_context& context) {
  return fmt::format_to(context.out(), "{}", temper::to_string(dtype));
}
