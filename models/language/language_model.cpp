#include <temper/models/language/language_model.hpp>

#include <temper/autograd/tape.hpp>
#include <temper/models/language/cache.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::models {

void LanguageModel::check(const Tensor& tokens, int rank, std::int64_t max_tokens) const {
  const bool fits = tokens.dtype() == Dtype::i64 && tokens.rank() == rank && tokens.numel() > 0;
  if (!fits || tokens.size(-1) > max_tokens) {
    fail<ShapeError>("{}: tokens {} {}, expected i64 {}T] with T from 1 to {}", name_, tokens.dtype(), tokens.shape(),
                     rank == 1 ? "[" : "[B, ", max_tokens);
  }
}

Tensor LanguageModel::operator()(const Tensor& tokens, KeyValueCache& cache) const {
  if (const CacheSizes& other = cache.sizes(); !(other == sizes_)) {
    fail<ValueError>("{}: a cache for {} layers of {} heads of {} features, context {}; the model has {}, {}, {}, {}",
                     name_, other.layers, other.heads, other.features, other.context, sizes_.layers, sizes_.heads,
                     sizes_.features, sizes_.context);
  }
  check(tokens, 1, sizes_.context - cache.size());
  const NoTape unrecorded;
  const Tensor logits = continued(tokens, cache);
  cache.advance(tokens.size(0));
  return logits;
}

}  // namespace temper::models
