#include <temper/data/loader.hpp>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <system_error>
#include <thread>
#include <vector>

#include <temper/core/parallel.hpp>
#include <temper/core/random.hpp>
#include <temper/core/trace.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper::data::detail {

void stack_row(Tensor& batch, const Tensor& example, std::int64_t row, std::int64_t rows, std::int64_t index) {
  if (row == 0) batch = empty(example.shape().with_axis(0, rows), example.dtype());
  if (example.dtype() != batch.dtype() || !(example.shape() == batch.shape().without_axis(0))) {
    fail<ShapeError>("loader: example {} is {} {}, but the batch began with {} {}", index, example.dtype(),
                     example.shape(), batch.dtype(), batch.shape().without_axis(0));
  }
  const std::span<const std::byte> bytes = temper::detail::bytes_of(example);
  std::ranges::copy(bytes,
                    temper::detail::mutable_bytes_of(batch).data() + static_cast<std::size_t>(row) * bytes.size());
}

/// The k-th batch of an epoch that this loader takes goes to slot k % slots. A worker claims the next batch as soon as its
/// slot is free; the training thread takes them in order. Slots, order and threads live as long as the loader: taking a batch
/// allocates nothing.
struct LoaderEngine::Impl {
  struct Slot {
    std::vector<Tensor> batch;
    std::exception_ptr error;
    bool ready = false;
  };

  Impl(const void* its_dataset, std::int64_t its_size, std::size_t fields, Collate its_collate,
       const LoaderOptions& its_options)
      : dataset(its_dataset), size(its_size), collate(its_collate), options(its_options) {
    if (size < 0) fail<ValueError>("loader: a data set of {} examples, expected 0 or more", size);
    if (options.batch_size < 1) fail<ValueError>("loader: batch_size {}, expected at least 1", options.batch_size);
    if (options.workers < 0) fail<ValueError>("loader: {} workers, expected 0 or more", options.workers);
    const auto& [of, first, count] = options.share;
    if (count < 1 || first < 0 || first + count > of) {
      fail<ValueError>("loader: a share of {} batches from number {} on, expected a part of {}", count, first, of);
    }
    if (options.prefetch < 0) fail<ValueError>("loader: prefetch {}, expected 0 or more", options.prefetch);
    if (options.batch_sampler) {
      if (options.batch_size != 1 || options.shuffle || options.drop_last) {
        fail<ValueError>("loader: batch_sampler beside batch_size, shuffle or drop_last, expected it alone");
      }
      sampled = sample({.seed = options.seed.value_or(0)});
      batches = std::ssize(sampled.ends);
    } else {
      batches = size / options.batch_size;
      if (!options.drop_last && size % options.batch_size != 0) ++batches;
    }
    claimed = batches;
    if (options.shuffle) {
      try {
        order.resize(static_cast<std::size_t>(size));
      } catch (const std::exception&) {  // std::bad_alloc or std::length_error
        fail<OutOfMemoryError>("loader: no memory for the order of {} examples, 8 bytes each", size);
      }
    }
    if (options.workers > 0) slots.resize(static_cast<std::size_t>(std::max({1, options.workers, options.prefetch})));
    for (Slot& slot : slots) slot.batch.resize(fields);
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    claimable.notify_all();
    // A worker in the middle of a batch finishes it; the jthreads are joined before anything else goes.
  }

  Slot& slot_of(std::int64_t turn) { return slots[static_cast<std::size_t>(turn) % slots.size()]; }

  /// The first batch of this loader's share from this one on; it may be past the epoch's end.
  std::int64_t own(std::int64_t batch) const {
    const auto& [of, first, count] = options.share;
    const std::int64_t place = (batch + place_of_first) % of;
    if (place < first) return batch + first - place;
    return place < first + count ? batch : batch + of - place + first;
  }

  LoaderState position() const {
    const std::int64_t of = options.share.of, place = (state.batch + place_of_first) % of;
    if (options.share.count == of || place < options.share.first + options.share.count) return state;
    LoaderState end = state;  // of the update, which may be in a later epoch
    for (end.batch += of - place; end.batch > batches && batches > 0; end.batch -= batches) {
      end.epoch += 1;
      end.seed = seed();
    }
    return end;
  }

  std::uint64_t seed() const { return options.seed ? *options.seed : random_state().seed; }

  /// Which examples a batch is made of; `room` is where they stand when there is no order to point into.
  std::span<const std::int64_t> indices_of(std::int64_t batch, std::vector<std::int64_t>& room) const {
    if (options.batch_sampler) {
      const auto at = static_cast<std::size_t>(batch);
      const std::int64_t begin = batch == 0 ? 0 : sampled.ends[at - 1], end = sampled.ends[at];
      return std::span(sampled.examples)
          .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    }
    const std::int64_t first = batch * options.batch_size;
    const std::int64_t count = std::min(options.batch_size, size - first);
    if (options.shuffle) {
      return std::span(order).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    }
    room.resize(static_cast<std::size_t>(count));
    std::iota(room.begin(), room.end(), first);
    return room;
  }

  void begin() {
    pause();
    if (resuming) {
      resuming = false;
    } else if (state.batch > 0) {  // the loop before was left early
      ++state.epoch;
      state.batch = 0;
      place_of_first = 0;
    }
    if (state.batch == 0) state.seed = seed();
    epoch = {.seed = state.seed, .number = state.epoch};
    draw_order();
    if (!slots.empty()) start_workers();
    running = true;
    if (slots.empty()) return;
    const std::lock_guard lock(mutex);
    claims = takes = 0;
    claimed = own(state.batch);
    claimable.notify_all();
  }

  void start_workers() {
    const auto wanted = static_cast<std::size_t>(options.workers);
    try {
      while (threads.size() < wanted) threads.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
      fail<Error>("loader: cannot start worker {} of {}: {}", threads.size() + 1, wanted, error.code().message());
    }
  }

  /// Waits until no worker reads the order, and empties the slots.
  void pause() {
    std::unique_lock lock(mutex);
    claimed = batches;
    idle.wait(lock, [this] { return busy == 0; });
    for (Slot& slot : slots) {
      std::ranges::fill(slot.batch, Tensor());
      slot.error = nullptr;
      slot.ready = false;
    }
  }

  BatchPlan sample(const Epoch& of) const {
    BatchPlan all = options.batch_sampler(of);
    std::int64_t before = 0;
    for (const std::int64_t end : all.ends) {
      if (end <= before || end > std::ssize(all.examples)) {
        fail<ValueError>(
            "loader: the batch sampler has a batch that ends at {} after one that ends at {}, of {} examples", end,
            before, all.examples.size());
      }
      before = end;
    }
    if (before != std::ssize(all.examples)) {
      fail<ValueError>("loader: the batch sampler's last batch ends at {} of {} examples", before, all.examples.size());
    }
    for (const std::int64_t i : all.examples) {
      if (i < 0 || i >= size) fail<ValueError>("loader: the batch sampler asks for example {} of {}", i, size);
    }
    return all;
  }

  void draw_order() {
    if (options.batch_sampler) {
      BatchPlan drawn = sample(epoch);
      if (std::ssize(drawn.ends) != batches) {
        fail<ValueError>("loader: the batch sampler makes {} batches of epoch {}, and made {} before",
                         drawn.ends.size(), epoch.number, batches);
      }
      sampled = std::move(drawn);
    }
    if (!options.shuffle) return;
    std::iota(order.begin(), order.end(), std::int64_t{0});
    const temper::detail::RandomStream random(state.seed, temper::detail::RandomUse::shuffle,
                                              static_cast<std::uint64_t>(state.epoch));
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i, i)]);
  }

  bool next(std::span<Tensor> batch) {
    if (!running) return false;
    const std::int64_t coming = own(state.batch);
    if (coming >= batches) {
      running = false;
      place_of_first = (place_of_first + batches) % options.share.of;
      state = {.epoch = state.epoch + 1};
      return false;
    }
    if (slots.empty()) {
      const TraceScope scope("collate", TraceTrack::loader);
      collate(dataset, indices_of(coming, asked), epoch, batch);
    } else {
      const TraceScope scope("wait for a batch", TraceTrack::loader);
      take(batch);
    }
    state.batch = coming + 1;
    return true;
  }

  void take(std::span<Tensor> batch) {
    std::unique_lock lock(mutex);
    Slot& slot = slot_of(takes);
    ready.wait(lock, [&] { return slot.ready; });
    if (slot.error) std::rethrow_exception(slot.error);
    std::ranges::move(slot.batch, batch.begin());
    slot.ready = false;
    ++takes;
    claimable.notify_one();
  }

  void work() {
    const temper::detail::SerialScope serial;
    std::vector<std::int64_t> room;
    std::unique_lock lock(mutex);
    for (;;) {
      claimable.wait(lock, [this] { return stopping || can_claim(); });
      if (stopping) return;
      const std::int64_t batch = claimed;
      claimed = own(batch + 1);
      Slot& slot = slot_of(claims++);  // ours alone until it is ready
      ++busy;
      lock.unlock();
      try {
        const TraceScope scope("collate", TraceTrack::loader);
        if (scope.on()) temper::detail::trace_thread("worker");
        collate(dataset, indices_of(batch, room), epoch, slot.batch);
      } catch (...) {
        slot.error = std::current_exception();
      }
      lock.lock();
      slot.ready = true;
      --busy;
      ready.notify_one();
      idle.notify_one();
    }
  }

  bool can_claim() const { return claimed < batches && claims < takes + static_cast<std::int64_t>(slots.size()); }

  const void* const dataset;
  const std::int64_t size;
  const Collate collate;
  const LoaderOptions options;
  std::int64_t batches = 0;
  std::vector<std::int64_t> order;  // of a shuffled data set; this and the epoch change only while no worker is busy
  BatchPlan sampled;                // of a batch sampler, likewise
  std::vector<std::int64_t> asked;  // the examples of a batch made on the thread that asks
  Epoch epoch;
  LoaderState state;
  std::int64_t place_of_first = 0;  // of the epoch's first batch among those of its update
  bool running = false;   // within an epoch
  bool resuming = false;  // restored: the next epoch is the one in `state`

  std::mutex mutex;  // guards all below
  std::condition_variable claimable, ready, idle;
  std::vector<Slot> slots;
  std::int64_t claimed = 0;            // the next batch for a worker; `batches` or more when there is none
  std::int64_t claims = 0, takes = 0;  // batches of this epoch that workers claimed, and the training thread took
  int busy = 0;
  bool stopping = false;

  std::vector<std::jthread> threads;  // last: joined first
};

LoaderEngine::LoaderEngine(const void* dataset, std::int64_t size, std::size_t fields, Collate collate,
                           const LoaderOptions& options)
    : impl_(std::make_unique<Impl>(dataset, size, fields, collate, options)) {}
LoaderEngine::~LoaderEngine() = default;
LoaderEngine::LoaderEngine(LoaderEngine&& other) noexcept = default;
LoaderEngine& LoaderEngine::operator=(LoaderEngine&& other) noexcept = default;

std::int64_t LoaderEngine::size() const { return impl_->size; }
std::int64_t LoaderEngine::batches() const { return impl_->batches; }
const BatchShare& LoaderEngine::share() const { return impl_->options.share; }
LoaderState LoaderEngine::state() const { return impl_->position(); }

void LoaderEngine::restore(const LoaderState& state) {
  if (state.epoch < 1 || state.batch < 0 || state.batch > impl_->batches) {
    fail<ValueError>("loader: cannot restore epoch {}, batch {}: epochs count from 1 and have {} batches", state.epoch,
                     state.batch, impl_->batches);
  }
  impl_->pause();
  impl_->state = state;
  // A position is one between two updates.
  const std::int64_t of = impl_->options.share.of;
  impl_->place_of_first = (of - state.batch % of) % of;
  impl_->resuming = true;
  impl_->running = false;
}

void LoaderEngine::begin() { impl_->begin(); }
bool LoaderEngine::next(std::span<Tensor> batch) { return impl_->next(batch); }

}  // namespace temper::data::detail
