#include <temper/core/buffer.hpp>

#include <limits>
#include <new>

#include <temper/core/pool.hpp>

namespace temper::detail {

Buffer::Buffer(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::size_t>::max() - sizeof(Header)) throw std::bad_alloc();
  header_ = new (pool_allocate(sizeof(Header) + bytes)) Header{1, 0, bytes};
}

void Buffer::release() noexcept {
  const std::size_t bytes = sizeof(Header) + header_->bytes;
  header_->~Header();
  pool_release(header_, bytes);
}

}  // namespace temper::detail
