#include <temper/io/numpy.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/npy_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/io/numpy_internal.hpp"
#include "framework/io/safetensors_internal.hpp"
#include "framework/io/zip_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper {

namespace {

using detail::printable;

/// A whole source, from its beginning.
class WholeStream final : public detail::ByteStream {
 public:
  explicit WholeStream(detail::ByteSource& source) : source_(source) {}

  void read(std::span<std::byte> out) override {
    if (out.size() > most())
      fail<FileError>("npy: ended after {} bytes, {} more are missing", source_.size(), out.size() - most());
    source_.read(place_, out);
    place_ += out.size();
  }
  std::uint64_t most() const override { return source_.size() - place_; }
  void finish() override {
    if (most() != 0) fail<FileError>("npy: {} bytes after the array; several arrays in one file are an .npz", most());
    source_.expect_end();
  }

 private:
  detail::ByteSource& source_;
  std::uint64_t place_ = 0;
};

/// The safetensors name of what an array holds, which the conversions go by.
std::string_view stored_name(const detail::NpyHeader& header) {
  switch (header.kind) {
    case 'b': return "BOOL";
    case 'V': return "BF16";
    case 'f': return header.bytes == 2 ? "F16" : header.bytes == 4 ? "F32" : "F64";
    case 'i': return header.bytes == 1 ? "I8" : header.bytes == 2 ? "I16" : header.bytes == 4 ? "I32" : "I64";
    default: return header.bytes == 1 ? "U8" : header.bytes == 2 ? "U16" : header.bytes == 4 ? "U32" : "U64";
  }
}

void swap_bytes(std::span<std::byte> bytes, std::size_t element) {
  for (std::size_t i = 0; i < bytes.size(); i += element) std::ranges::reverse(bytes.subspan(i, element));
}

/// Elements whose first axis varies fastest, in the order of tensors.
template <std::size_t bytes>
void reorder(const std::byte* source, std::byte* target, const Shape& shape) {
  const int rank = shape.rank();
  std::array<std::int64_t, Shape::max_rank> strides{}, at{};
  std::int64_t stride = 1;
  for (int axis = 0; axis < rank; ++axis) {
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= shape[axis];
  }
  const auto last = static_cast<std::size_t>(rank - 1);
  const std::int64_t rows = shape.numel() / shape[rank - 1];
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t from = 0;
    for (std::size_t axis = 0; axis < last; ++axis) from += at[axis] * strides[axis];
    for (std::int64_t i = 0; i < shape[rank - 1]; ++i, from += strides[last], target += bytes) {
      std::memcpy(target, source + static_cast<std::size_t>(from) * bytes, bytes);
    }
    for (std::size_t axis = last; axis-- > 0;) {
      if (++at[axis] < shape[static_cast<int>(axis)]) break;
      at[axis] = 0;
    }
  }
}

Tensor in_order(const Tensor& stored, const Shape& shape) {
  Tensor tensor = empty(shape, stored.dtype());
  const std::byte* const source = detail::bytes_of(stored).data();
  std::byte* const target = detail::mutable_bytes_of(tensor).data();
  switch (size_of(stored.dtype())) {
    case 1: reorder<1>(source, target, shape); break;
    case 2: reorder<2>(source, target, shape); break;
    case 4: reorder<4>(source, target, shape); break;
    default: reorder<8>(source, target, shape);
  }
  return tensor;
}

/// The elements as they stand in the file.
Tensor read_elements(detail::ByteStream& stream, const detail::NpyHeader& header, Dtype dtype) {
  const std::string_view name = stored_name(header);
  if (name != detail::safetensors_name(dtype)) {
    std::vector<std::byte> stored(header.data_bytes());
    stream.read(stored);
    if (header.swapped) swap_bytes(stored, header.bytes);
    return detail::converted_from(detail::stored_dtype(name, ""), header.shape, stored, "array");
  }
  Tensor tensor = empty(header.shape, dtype);
  const std::span<std::byte> bytes = detail::mutable_bytes_of(tensor);
  stream.read(bytes);
  if (header.swapped) swap_bytes(bytes, header.bytes);
  if (dtype == Dtype::boolean && std::ranges::any_of(bytes, [](std::byte b) { return b > std::byte{1}; })) {
    std::ranges::fill(bytes, std::byte{0});  // never a bool that is neither
    fail<FileError>("npy: a bool array has bytes other than 0 and 1");
  }
  return tensor;
}

std::string header_of(const Tensor& tensor) {
  return detail::npy_header(detail::npy_name(tensor.dtype()), tensor.shape());
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

namespace detail {

Tensor read_npy(ByteStream& stream, std::uint64_t max_bytes) {
  const NpyHeader header = read_npy_header([&](std::span<std::byte> out) { stream.read(out); });
  const std::uint64_t bytes = header.data_bytes();
  if (bytes > stream.most()) {
    fail<FileError>("npy: {} of {} bytes each need {} bytes, there are at most {}", header.shape, header.bytes, bytes,
                    stream.most());
  }
  const Dtype dtype = *stored_dtype(stored_name(header), "").read_as;
  // What the file holds bounds this to eight times as much.
  const std::uint64_t needed = static_cast<std::uint64_t>(header.shape.numel()) * size_of(dtype);
  if (needed > max_bytes) fail<FileError>("npy: {} takes {} bytes, the limit is {}", header.shape, needed, max_bytes);
  Tensor tensor = read_elements(stream, header, dtype);
  stream.finish();
  const bool moves = header.fortran_order && header.shape.rank() > 1 && header.shape.numel() > 0;
  return moves ? in_order(tensor, header.shape) : tensor;
}

Tensor read_npy(ByteSource& source, const NumpyOptions& options) {
  WholeStream stream(source);
  return read_npy(stream, options.max_bytes.value_or(memory_of_machine()));
}

Tensors read_npz(ByteSource& source, const NumpyOptions& options) {
  constexpr std::string_view ending = ".npy";
  const std::vector<ZipMember> members = read_zip(source);
  Tensors tensors;
  std::uint64_t rest = options.max_bytes.value_or(memory_of_machine());
  for (const ZipMember& member : members) {
    std::string_view name = member.name;
    if (name == "data.pkl" || name.ends_with("/data.pkl")) {
      fail<FileError>("npz: this is what torch.save writes; save_file of safetensors writes what load reads");
    }
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
    if (options.wanted && !options.wanted(name)) continue;
    if (name.size() == member.name.size())
      fail<FileError>("npz: '{}' is no array, expected names that end in .npy", printable(name));
    try {
      const auto stream = open_member(source, member);
      Tensor tensor = read_npy(*stream, rest);
      rest -= static_cast<std::uint64_t>(tensor.numel()) * size_of(tensor.dtype());
      tensors.emplace(name, std::move(tensor));
    } catch (const ReadError&) {
      throw;
    } catch (const FileError& error) {
      fail<FileError>("'{}': {}", printable(name), error.what());
    }
  }
  source.expect_end();
  return tensors;
}

}  // namespace detail

Tensor load_npy(const std::filesystem::path& path, const NumpyOptions& options) {
  detail::FileSource file(path);
  return detail::with_path(path, [&] { return detail::read_npy(file, options); });
}

void save_npy(const std::filesystem::path& path, const Tensor& tensor) {
  const std::string header = header_of(tensor);
  detail::AtomicFile file(path);
  file.write(bytes_of(header));
  file.write(detail::bytes_of(tensor));
  file.commit();
}

Tensors load_npz(const std::filesystem::path& path, const NumpyOptions& options) {
  detail::FileSource file(path);
  return detail::with_path(path, [&] { return detail::read_npz(file, options); });
}

void save_npz(const std::filesystem::path& path, const Tensors& tensors, const NpzOptions& options) {
  for (const auto& [name, tensor] : tensors) {
    detail::check_member_name(name);
    if (!tensor.defined()) fail<ValueError>("save_npz: tensor '{}' is undefined", printable(name));
  }
  detail::AtomicFile file(path);
  detail::ZipWriter zip(file);
  for (const auto& [name, tensor] : tensors) {
    const std::string header = header_of(tensor);
    const std::array<std::span<const std::byte>, 2> parts{bytes_of(header), detail::bytes_of(tensor)};
    zip.add(name + ".npy", parts, options.compress);
  }
  zip.finish();
  file.commit();
}

}  // namespace temper
