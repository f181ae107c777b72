#include <temper/core/buffer.hpp>

#include <algorithm>
#include <limits>
#include <new>

#include <temper/core/pool.hpp>

namespace temper::detail {

Buffer::Buffer(std::size_t bytes) {
  // Unbounded, the sum could wrap around to a few bytes. The pool refuses a request this large.
  const std::size_t most = std::numeric_limits<std::size_t>::max() - sizeof(Header);
  const PoolBlock block = pool_allocate(sizeof(Header) + std::min(bytes, most));
  header_ = new (block.memory) Header{1, 0, bytes, block.bytes};
}

void Buffer::release() noexcept {
  const std::size_t requested = sizeof(Header) + header_->bytes;
  const PoolBlock block{header_, header_->block_bytes};
  header_->~Header();
  pool_release(block, requested);
}

}  // namespace temper::detail
