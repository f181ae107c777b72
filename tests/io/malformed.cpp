#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <temper/core/errors.hpp>

#include "framework/data/file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"

using namespace temper;

namespace {

using Bytes = std::string;
using namespace std::string_literals;

Bytes prefix(std::uint64_t length) {
  Bytes bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes;
}

Bytes file(const Bytes& header, std::size_t data_bytes = 16) {
  return prefix(header.size()) + header + Bytes(data_bytes, '\0');
}

Bytes entry(const Bytes& name, const Bytes& dtype, const Bytes& shape, const Bytes& offsets) {
  return "\""s + name + R"(":{"dtype":")"s + dtype + R"(","shape":)"s + shape + R"(,"data_offsets":)"s + offsets + "}";
}

/// A tensor of four f32 in bytes 0 to 16.
Bytes good(const Bytes& name = "a") { return entry(name, "F32", "[4]", "[0,16]"); }
Bytes object(const Bytes& inner) { return "{"s + inner + "}"; }
Bytes offsets(const Bytes& text) { return file(object(entry("a", "F32", "[4]", text))); }
Bytes shape(const Bytes& text) { return file(object(entry("a", "F32", text, "[0,16]"))); }
Bytes fields(const Bytes& inner) { return file(object("\"a\":{"s + inner + "}")); }
Bytes metadata(const Bytes& value) { return file(object("\"__metadata__\":"s + value + ","s + good())); }
Bytes repeated(const Bytes& text, std::size_t times) {
  Bytes all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

Bytes aliases(std::size_t count) {
  Bytes inner = good("t");
  for (std::size_t i = 0; i < count; ++i) inner += ","s + good("t"s + std::to_string(i));
  return file(object(inner));
}

TensorFile read(const Bytes& bytes) {
  detail::MemorySource source(std::as_bytes(std::span(bytes.data(), bytes.size())));
  return detail::read_safetensors(source, {});
}

std::string verdict(const Bytes& bytes) {
  try {
    read(bytes);
  } catch (const FileError& error) {
    return error.what();
  }
  return "accepted";
}

struct Case {
  const char* name;
  const char* code;
  Bytes bytes;
};

const char* const D = R"("dtype":"F32")";
const char* const S = R"("shape":[4])";
const char* const O = R"("data_offsets":[0,16])";

std::vector<Case> framing() {
  const Bytes header = object(good());
  return {
      {"A01_empty_file", "file_too_small", ""},
      {"A02_7_bytes", "file_too_small", Bytes(7, '\0')},
      {"A03_N0_only_prefix", "header_empty", prefix(0)},
      {"A04_N0_with_data", "header_empty", prefix(0) + Bytes(16, '\0')},
      {"A05_N_past_eof_by_1", "header_past_eof", prefix(header.size() + 1) + header},
      {"A06_N_u64max", "header_too_large", prefix(~0ull) + header},
      {"A07_N_wraps_with_8", "header_too_large", prefix(~0ull - 7) + header},
      {"A08_N_2p63", "header_too_large", prefix(1ull << 63) + header},
      {"A09_N_over_100MB", "header_too_large", prefix(100'000'001) + header},
      {"A10_N_big_endian", "header_too_large", "\0\0\0\0\0\0\0\x44"s + header + Bytes(16, '\0')},
      {"A11_N_one_short", "json_syntax", prefix(header.size() - 1) + header + Bytes(16, '\0')},
      {"A12_N_eats_data", "json_syntax", prefix(header.size() + 7) + "{"s + good() + ",abcdefgh"s + Bytes(8, '\0')},
  };
}

std::vector<Case> text() {
  const Bytes header = object(good());
  const auto named = [](const Bytes& name) { return file(object(good(name))); };
  return {
      {"B01_bad_utf8_ff", "header_not_utf8", file("\xff"s + header)},
      {"B02_overlong_c080_key", "header_not_utf8", named("\xc0\x80")},
      {"B03_cesu_surrogate_key", "header_not_utf8", named("\xed\xa0\x80")},
      {"B04_gt_10ffff_key", "header_not_utf8", named("\xf4\x90\x80\x80")},
      {"B05_truncated_utf8_key", "header_not_utf8", named("\xe2\x82")},
      {"B06_lone_surrogate_escape", "json_bad_escape", named("\\ud800")},
      {"B07_bom", "header_must_start_with_brace", file("\xef\xbb\xbf"s + header)},
      {"B08_leading_ws", "accepted", file(" \n"s + header)},
      {"B09_top_array", "header_not_object", file("["s + header + "]")},
      {"B10_top_null", "header_not_object", file("null")},
      {"B11_top_string", "header_not_object", file("\"a\"")},
      {"B12_unterminated", "json_syntax", file("{"s + good())},
      {"B13_trailing_garbage", "json_trailing", file(header + "abc")},
      {"B14_two_objects", "json_trailing", file(header + "{}")},
      {"B15_nul_padding", "json_trailing", file(header + Bytes(5, '\0'))},
      {"B16_trailing_comma", "json_syntax", file(object(good() + ","))},
      {"B17_comment", "json_syntax", file(object("/* c */"s + good()))},
      {"B18_single_quotes", "json_syntax", file("{'a':{}}")},
      {"B19_deep_nest_100k", "json_depth", file(repeated("{\"a\":", 100'000))},
      {"B20_deep_nest_meta_100k", "json_depth", file("{\"__metadata__\":"s + repeated("[", 100'000))},
      {"B21_deep_nest_extra_100k", "json_depth", fields(Bytes(D) + ",\"x\":"s + repeated("[", 100'000))},
      {"B22_raw_control_in_key", "json_syntax", named("a\x01")},
      {"B23_escaped_nul_in_key", "name_control_char", named("a\\u0000")},
      {"B24_bad_escape", "json_bad_escape", named("a\\q")},
      {"B25_crlf_pad", "accepted", file(header + "\r\n")},
  };
}

std::vector<Case> numbers() {
  return {
      {"C01_offset_exp", "not_an_unsigned_integer", offsets("[0,1.6e1]")},
      {"C02_offset_16.0", "not_an_unsigned_integer", offsets("[0,16.0]")},
      {"C03_offset_negative", "not_an_unsigned_integer", offsets("[-16,0]")},
      {"C04_offset_minus0", "not_an_unsigned_integer", offsets("[-0,16]")},
      {"C05_offset_string", "not_an_unsigned_integer", offsets("[\"0\",16]")},
      {"C06_offset_bool", "not_an_unsigned_integer", offsets("[false,16]")},
      {"C07_offset_null", "not_an_unsigned_integer", offsets("[null,16]")},
      {"C08_offset_leading_zero", "json_syntax", offsets("[0,016]")},
      {"C09_offset_plus", "json_syntax", offsets("[0,+16]")},
      {"C10_offset_hex", "json_syntax", offsets("[0,0x10]")},
      {"C11_offset_nan", "json_syntax", offsets("[0,NaN]")},
      {"C12_offset_2p64_plus16", "integer_overflow", offsets("[0,18446744073709551632]")},
      {"C13_shape_negative", "not_an_unsigned_integer", shape("[-4]")},
      {"C14_shape_float", "not_an_unsigned_integer", shape("[4.0]")},
      {"C15_shape_2p32_plus2", "size_mismatch", shape("[4294967298]")},
      {"C16_shape_2p64_plus2", "integer_overflow", shape("[18446744073709551618]")},
      {"C17_shape_1e0", "not_an_unsigned_integer", shape("[4e0]")},
      {"C18_offset_2p53_rounding", "size_mismatch", offsets("[9007199254740992,9007199254740993]")},
  };
}

std::vector<Case> fields_and_names() {
  const Bytes d = D, s = S, o = O;
  return {
      {"D01_missing_dtype", "missing_field", fields(s + ","s + o)},
      {"D02_missing_shape", "missing_field", fields(d + ","s + o)},
      {"D03_missing_offsets", "missing_field", fields(d + ","s + s)},
      {"D04_extra_field", "unknown_field", fields(d + ","s + s + ","s + o + ",\"x\":1")},
      {"D05_dup_field_dtype", "duplicate_field", fields(d + ","s + d + ","s + s + ","s + o)},
      {"D06_unknown_dtype", "unknown_dtype", file(object(entry("a", "F31", "[4]", "[0,16]")))},
      {"D07_lowercase_dtype", "unknown_dtype", file(object(entry("a", "f32", "[4]", "[0,16]")))},
      {"D08_dtype_number", "wrong_type", fields("\"dtype\":32,"s + s + ","s + o)},
      {"D09_shape_object", "wrong_type", shape("{}")},
      {"D10_shape_number", "wrong_type", shape("4")},
      {"D11_shape_nested", "wrong_type", shape("[[4]]")},
      {"D12_offsets_len1", "wrong_arity", offsets("[16]")},
      {"D13_offsets_len3", "wrong_arity", offsets("[0,8,16]")},
      {"D14_entry_null", "wrong_type", file(object("\"a\":null"))},
      {"D15_entry_array", "wrong_type", file(object(R"("a":["F32",[4],[0,16]])"))},
      {"D16_meta_not_object", "metadata_wrong_type", metadata("\"x\"")},
      {"D17_meta_value_int", "metadata_wrong_type", metadata("{\"x\":1}")},
      {"D18_meta_value_null", "metadata_wrong_type", metadata("{\"x\":null}")},
      {"D19_meta_null", "metadata_wrong_type", metadata("null")},
      {"D20_meta_dup_block", "duplicate_key", metadata("{},\"__metadata__\":{}")},
      {"D21_meta_dup_key", "duplicate_key", metadata(R"({"x":"1","x":"2"})")},
      {"D22_dup_tensor_identical", "duplicate_key", file(object(good() + ","s + good()))},
      {"D23_dup_tensor_last_wins", "duplicate_key",
       file(object(good() + ","s + entry("a", "F32", "[4]", "[16,32]")), 32)},
      {"D24_dup_by_escape", "duplicate_key", file(object(good() + ","s + good("\\u0061")))},
      {"D25_empty_name", "empty_name", file(object(good("")))},
      {"D26_name_1MiB", "name_too_long", file(object(good(Bytes(1 << 20, 'n'))))},
      {"D27_rank_100k", "rank_too_large", shape("[4"s + repeated(",1", 100'000) + "]")},
      {"D28_name_ansi_newline", "name_control_char", file(object(good("\\u001b[31m\\n")))},
      {"D29_meta_as_tensor", "metadata_wrong_type", file(object(good("__metadata__")))},
  };
}

std::vector<Case> ranges() {
  const auto two = [](const Bytes& a, const Bytes& b) {
    return file(object(entry("a", "F32", "[2]", a) + ","s + entry("b", "F32", "[2]", b)));
  };
  const auto empty_at = [](const Bytes& at) { return file(object(good() + ","s + entry("z", "F32", "[0]", at))); };
  Bytes nan_inf = file(object(good()), 0);
  for (const std::uint32_t bits : {0x7fc00000u, 0x7f800000u, 0xff800000u, 0x80000000u}) {
    nan_inf.append(reinterpret_cast<const char*>(&bits), 4);
  }
  return {
      {"E01_begin_gt_end", "bad_range", offsets("[16,0]")},
      {"E02_end_past_eof", "range_past_eof", file(object(entry("a", "F32", "[5]", "[0,20]")))},
      {"E03_begin_past_eof", "hole", offsets("[32,48]")},
      {"E04_partial_overlap", "overlap", two("[0,8]", "[4,12]")},
      {"E05_alias_identical", "overlap", two("[0,8]", "[0,8]")},
      {"E06_hole_start", "hole", file(object(entry("a", "F32", "[2]", "[8,16]")))},
      {"E07_hole_middle", "hole",
       file(object(entry("a", "F32", "[1]", "[0,4]") + ","s + entry("b", "F32", "[2]", "[8,16]")))},
      {"E08_trailing_bytes_polyglot", "trailing_bytes", file(object(good()), 16) + "PK\x03\x04"},
      {"E09_truncated_1_byte", "range_past_eof", file(object(good()), 15)},
      {"E10_size_mismatch_small", "size_mismatch", shape("[3]")},
      {"E11_numel_wrap_to_0", "shape_overflow", file(object(entry("a", "F32", "[4294967296,4294967296]", "[0,0]")), 0)},
      {"E12_bytes_wrap_to_16", "shape_overflow", shape("[4611686018427387908]")},
      {"E13_numel_wrap_2p32sq", "shape_overflow", shape("[4294967296,4294967296,4]")},
      {"E14_zero_dim_huge", "dim_too_large", file(object(entry("a", "F32", "[0,9223372036854775808]", "[0,0]")), 0)},
      {"E15_offsets_u64_wrap", "bad_range", offsets("[18446744073709551608,8]")},
      {"E16_size_u64max", "range_past_eof",
       file(object(entry("a", "BOOL", "[18446744073709551615]", "[0,18446744073709551615]")))},
      {"E17_misaligned_f32", "accepted",
       file(object(entry("a", "BOOL", "[1]", "[0,1]") + ","s + entry("b", "F32", "[2]", "[1,9]")), 9)},
      {"E18_header_not_mult_8", "accepted", file(object(good()) + (object(good()).size() % 8 == 0 ? " " : ""))},
      {"E19_f4_odd", "size_mismatch", file(object(entry("a", "F4", "[3]", "[0,2]")), 2)},
      {"E20_bool_byte_2", "bad_bool_value", file(object(entry("a", "BOOL", "[1]", "[0,1]")), 0) + "\x02"},
      {"E21_unsorted_order", "accepted", two("[8,16]", "[0,8]")},
      {"E22_empty_dict", "accepted", file("{}", 0)},
      {"E23_scalar_rank0", "accepted", file(object(entry("a", "F32", "[]", "[0,4]")), 4)},
      {"E24_zero_size_ok", "accepted", empty_at("[16,16]")},
      {"E25_zero_size_inside", "overlap", empty_at("[8,8]")},
      {"E26_zero_size_past_end", "hole", empty_at("[20,20]")},
      {"E27_nan_inf_values", "accepted", nan_inf},
      {"E28_dos_100k_aliases", "overlap", aliases(100'000)},
      {"E29_only_metadata_plus_data", "trailing_bytes", file(R"({"__metadata__":{"x":"y"}})")},
  };
}

/// More files that must be refused.
std::vector<Case> others() {
  return {
      {"complete header that eats data", "json_trailing",
       prefix(object(good()).size() + 8) + object(good()) + Bytes(16, 'd')},
      {"blank header", "header_must_start_with_brace", file("        ")},
      {"top array nested 100k", "header_not_object", file(repeated("[", 100'000))},
      {"lone low surrogate", "json_bad_escape", file(object(good("\\udc00")))},
      {"surrogate pair cut", "json_bad_escape", file(object(good("\\ud83d\\u0041")))},
      {"surrogate pair", "accepted", file(object(good("\\ud83d\\ude00")))},
      {"escape at the end", "json_bad_escape", file("{\"a\\")},
      {"NUL within the object", "json_syntax", file("{\0}"s)},
      {"F8", "unsupported_dtype", file(object(entry("a", "F8_E4M3", "[16]", "[0,16]")))},
      {"F4", "unsupported_dtype", file(object(entry("a", "F4", "[32]", "[0,16]")))},
      {"U64 beyond I64", "integer_overflow", file(object(entry("a", "U64", "[1]", "[0,8]")), 0) + Bytes(8, '\xff')},
      {"git-lfs pointer", "not_safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n"},
      {"HTML", "not_safetensors", "<!DOCTYPE html><html></html>"},
      {"zip", "not_safetensors", "PK\x03\x04\x14\0\0\0\0\0"s + Bytes(30, 'x')},
      {"JSON", "not_safetensors", R"({"weight_map": {"a": "b"}})"},
      {"many offsets", "wrong_arity", offsets("[0"s + repeated(",1", 1000) + "]")},
      {"two empty dimensions that overflow together", "shape_overflow",
       file(object(entry("a", "BOOL", "[0,281474976710656,281474976710656]", "[0,0]")), 0)},
      {"DEL in a name", "name_control_char", file(object(good("\x7f")))},
  };
}

void check(const std::vector<Case>& cases, int& accepted, int& rejected) {
  for (const Case& c : cases) {
    CAPTURE(std::string(c.name));
    const std::string result = verdict(c.bytes);
    const std::string code = result.substr(0, result.find(':'));
    CHECK_MESSAGE(code == c.code, result);
    CHECK_MESSAGE(result.size() < 400, result);  // whatever the file holds
    ++(std::string_view(c.code) == "accepted" ? accepted : rejected);
  }
}

}  // namespace

TEST_CASE("safetensors: 104 malformed files are refused with an error, 9 unusual ones accepted") {
  int accepted = 0, rejected = 0;
  for (const auto& cases : {framing(), text(), numbers(), fields_and_names(), ranges()}) {
    check(cases, accepted, rejected);
  }
  CHECK(accepted == 9);
  CHECK(rejected == 104);
  check(others(), accepted, rejected);
}

TEST_CASE("safetensors: a message shows what was found and says what was expected") {
  const auto says = [](const Bytes& bytes, const std::string& text) {
    const std::string result = verdict(bytes);
    CHECK_MESSAGE(result.find(text) != std::string::npos, result);
  };
  says(offsets("[0,+16]"), "invalid literal; last read: ");
  says(file("{"s + good()), "json_syntax: the header ends within its object");
  says(file(object(good() + ",")), "expected string literal");
  says(file("\xff\xfe{}"), "header_not_utf8: at byte 0 of the header: ff fe 7b 7d");
  says(file(object(good("a\\q"))), "json_bad_escape: at byte 3 of the header: '\\q\":{\"'");
  says(fields("\"dtype\":32,"s + S + ","s + O), "wrong_type: dtype of tensor 'a' is a number, expected a string");
  says(shape("4"), "wrong_type: shape of tensor 'a' is a number, expected an array of numbers");
  says(shape("[-4]"), "holds a negative number, expected whole numbers from 0 on");
  says(offsets("[16]"), "data_offsets of tensor 'a' have length 1, expected 2");
  says(file(object(entry("a", "F32", "[2]", "[0,8]") + ","s + entry("b", "F32", "[2]", "[4,12]"))),
       "overlap: tensor 'b' begins at byte 4, tensor 'a' ends at 8");
  says("version https://git-lfs.github.com/spec/v1\n",
       "not_safetensors: this is a git-lfs pointer, not the file itself (fetch it with `git lfs pull`)");
}

TEST_CASE("safetensors: dtypes of other programs are converted") {
  const auto values = [](const Bytes& dtype, const Bytes& bytes, std::size_t size) {
    const std::size_t count = bytes.size() / size;
    const Bytes header =
        object(entry("a", dtype, "["s + std::to_string(count) + "]", "[0,"s + std::to_string(bytes.size()) + "]"));
    return read(prefix(header.size()) + header + bytes).tensors.at("a");
  };
  // 1, -2, 65504, the smallest subnormal, the largest one, infinity, -0, NaN.
  const Bytes halves("\x00\x3c\x00\xc0\xff\x7b\x01\x00\xff\x03\x00\x7c\x00\x80\x01\x7e", 16);
  const Tensor h = values("F16", halves, 2);
  REQUIRE(h.dtype() == Dtype::f32);
  const auto f = h.values<float>();
  CHECK(f[0] == 1.0f);
  CHECK(f[1] == -2.0f);
  CHECK(f[2] == 65504.0f);
  CHECK(f[3] == 0x1p-24f);
  CHECK(f[4] == 1023 * 0x1p-24f);
  CHECK(f[5] == std::numeric_limits<float>::infinity());
  CHECK((f[6] == 0.0f && std::signbit(f[6])));
  CHECK(std::isnan(f[7]));
  const double d[] = {1.5, -1e-3, 1e300};
  const Tensor wide = values("F64", Bytes(reinterpret_cast<const char*>(d), sizeof d), 8);
  CHECK(wide.values<float>()[1] == -1e-3f);
  CHECK(wide.values<float>()[2] == std::numeric_limits<float>::infinity());
  const auto first = [&](const Bytes& dtype, const Bytes& bytes) {
    const Tensor x = values(dtype, bytes, bytes.size());
    CHECK(x.dtype() == Dtype::i64);
    return x.values<std::int64_t>()[0];
  };
  CHECK(first("U8", "\xff") == 255);
  CHECK(first("I8", "\xff") == -1);
  CHECK(first("U16", "\xfe\xff") == 65534);
  CHECK(first("I16", "\xfe\xff") == -2);
  CHECK(first("U32", "\xfe\xff\xff\xff") == 4294967294);
  CHECK(first("I32", "\xfe\xff\xff\xff") == -2);
  CHECK(first("U64", Bytes("\xff\0\0\0\0\0\0\0", 8)) == 255);
}

TEST_CASE("safetensors: tensors that are not wanted are not read, whatever their dtype") {
  const Bytes bytes = file(object(entry("a", "F8_E4M3", "[8]", "[0,8]") + ","s + entry("b", "F32", "[2]", "[8,16]")));
  detail::MemorySource source(std::as_bytes(std::span(bytes.data(), bytes.size())));
  const TensorFile read =
      detail::read_safetensors(source, {.max_bytes = 8, .wanted = [](std::string_view name) { return name == "b"; }});
  CHECK(read.tensors.size() == 1);
  CHECK(read.left_out.at("a") == "F8_E4M3 [8]");
}

TEST_CASE("safetensors: what the unusual files hold") {
  const TensorFile misaligned =
      read(file(object(entry("a", "BOOL", "[1]", "[0,1]") + ","s + entry("b", "F32", "[2]", "[1,9]")), 1) +
           "\0\0\x80\x3f\0\0\0\x40"s);
  CHECK(misaligned.tensors.at("b").values<float>()[0] == 1.0f);
  CHECK(misaligned.tensors.at("b").values<float>()[1] == 2.0f);
  const TensorFile escaped = read(file(object(good("\\ud83d\\ude00\\u00e9"))));
  CHECK(escaped.tensors.contains("\U0001F600\u00e9"));
  CHECK(read(file(object(entry("a", "F32", "[2,0,3]", "[0,0]")), 0)).tensors.at("a").shape() == Shape{2, 0, 3});
  CHECK(read(file(object(entry("a", "F32", "[]", "[0,4]")), 4)).tensors.at("a").shape() == Shape{});
  CHECK(read(file(R"({"__metadata__":{"x":"y\n"}})", 0)).metadata.at("x") == "y\n");
}

TEST_CASE("safetensors: a truncated file is refused at every length") {
  const Bytes whole = file(object(good()));
  for (std::size_t length = 0; length < whole.size(); ++length) CHECK(verdict(whole.substr(0, length)) != "accepted");
}

TEST_CASE("safetensors: more than the limit is refused before it is read") {
  const Bytes bytes = file(object(good()));
  detail::MemorySource source(std::as_bytes(std::span(bytes.data(), bytes.size())));
  CHECK_THROWS_WITH_AS(detail::read_safetensors(source, {.max_bytes = 15}),
                       "too_large: 16 bytes of tensors, the limit is 15", FileError);
}
