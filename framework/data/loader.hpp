#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include <temper/data/batch_sampler.hpp>
#include <temper/data/dataset.hpp>

namespace temper::data {

/// Which batches a Loader takes, of the row that those of all epochs make one after another: of every `of` batches the
/// `count` from number `first` on. All of them, unless several processes share the batches of an update.
struct BatchShare {
  std::int64_t of = 1;     ///< batches of all processes in an update
  std::int64_t first = 0;  ///< number of the first one of this process
  std::int64_t count = 1;  ///< how many this process takes

  friend bool operator==(const BatchShare&, const BatchShare&) = default;
};

struct LoaderOptions {
  std::int64_t batch_size = 1;
  /// A new order each epoch, a function of the seed and the epoch's number alone. Takes 8 bytes an example.
  bool shuffle = false;
  bool drop_last = false;  ///< leave out the examples that do not fill a batch
  int workers = 1;         ///< threads that prepare batches; 0 prepares them on the thread that asks
  int prefetch = 4;        ///< batches that the workers prepare ahead
  std::optional<std::uint64_t> seed = std::nullopt;  ///< of order and transforms; by default the one of manual_seed
  /// Which examples make which batches, instead of batch_size, shuffle and drop_last: by_length(lengths), or a function
  /// of your own.
  BatchSampler batch_sampler = nullptr;
  /// The part of the batches that this process takes; distributed::DataParallel and Run say it. Those of other processes
  /// are neither read nor made.
  BatchShare share{};
};

/// Where a Loader stands. Three numbers for a checkpoint.
struct LoaderState {
  std::int64_t epoch = 1;  ///< number of the epoch that the next batch belongs to, from 1
  std::int64_t batch = 0;  ///< batches taken of it
  std::uint64_t seed = 0;  ///< what its order and transforms are drawn from; 0 before the first batch

  friend bool operator==(const LoaderState&, const LoaderState&) = default;
};

namespace detail {

/// Stacks the examples of these numbers of a data set into one tensor a field.
using Collate = void (*)(const void* dataset, std::span<const std::int64_t> indices, const Epoch& epoch,
                         std::span<Tensor> batch);

/// Puts a field of an example into its row of a batch of `rows`, which it allocates with the first row.
void stack_row(Tensor& batch, const Tensor& example, std::int64_t row, std::int64_t rows, std::int64_t index);

/// The Loader without its data set's type: order, position, worker threads.
class LoaderEngine {
 public:
  LoaderEngine(const void* dataset, std::int64_t size, std::size_t fields, Collate collate,
               const LoaderOptions& options);
  ~LoaderEngine();
  LoaderEngine(LoaderEngine&& other) noexcept;
  LoaderEngine& operator=(LoaderEngine&& other) noexcept;

  std::int64_t size() const;
  std::int64_t batches() const;
  const BatchShare& share() const;
  LoaderState state() const;
  void restore(const LoaderState& state);

  /// Starts the next epoch, or goes on with a restored one.
  void begin();
  /// Takes the next batch; false at the end of the epoch.
  bool next(std::span<Tensor> batch);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

template <Dataset D>
void collate(const void* erased, std::span<const std::int64_t> indices, const Epoch& epoch, std::span<Tensor> batch) {
  const D& dataset = *static_cast<const D*>(erased);
  const auto each_field = [](auto&& fields, auto&& body) {
    std::apply(
        [&](auto&... field) {
          std::size_t i = 0;
          (body(field, i++), ...);
        },
        fields);
  };
  if constexpr (BatchedDataset<D>) {
    auto stacked = [&] {
      if constexpr (requires { dataset.batch(indices, epoch); }) {
        return dataset.batch(indices, epoch);
      } else {
        return dataset.batch(indices);
      }
    }();
    each_field(stacked, [&](Tensor& field, std::size_t i) { batch[i] = std::move(field); });
  } else {
    const auto rows = static_cast<std::int64_t>(indices.size());
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t index = indices[static_cast<std::size_t>(row)];
      const auto row_fields = example(dataset, index, epoch);
      each_field(row_fields, [&](const Tensor& field, std::size_t i) { stack_row(batch[i], field, row, rows, index); });
    }
  }
}

}  // namespace detail

/// Goes through a data set in batches. A range-for is one epoch:
///
///     data::Loader train(data::FashionMnist(data::Split::train), {.batch_size = 128, .shuffle = true});
///     for (const auto& [images, labels] : train) ...
///
/// Batches come in the same order with the same contents whatever the number of workers. What a data set throws is
/// thrown where its batch is taken. A Loader serves one loop at a time.
template <class D>
class Loader : detail::RequireDataset<D> {
 public:
  using Batch = ExampleOf<D>;

  /// Throws: ValueError for a data set of negative size, a batch size below 1, negative workers or prefetch, a share
  /// that is not a part of its batches, or a batch
  /// sampler beside other options of the order or with an example that is not there; OutOfMemoryError when there is
  /// none for the order of a shuffled data set. A loop throws ValueError when the sampler's epochs differ in their
  /// number of batches.
  explicit Loader(D dataset, LoaderOptions options = {})
      : dataset_(std::make_shared<const D>(std::move(dataset))),
        engine_(dataset_.get(), static_cast<std::int64_t>(dataset_->size()), fields, &detail::collate<D>, options) {}

  Loader(Loader&&) noexcept = default;
  Loader& operator=(Loader&& other) noexcept {
    engine_ = std::move(other.engine_);  // first: its workers may be reading from the data set
    dataset_ = std::move(other.dataset_);
    batch_ = std::move(other.batch_);
    return *this;
  }

  /// Examples in the data set.
  std::int64_t size() const { return engine_.size(); }
  /// Batches in an epoch, those of other processes included.
  std::int64_t batches() const { return engine_.batches(); }
  /// The part of them that this loader takes.
  const BatchShare& share() const { return engine_.share(); }
  /// Number of the epoch that the next batch belongs to, from 1. It counts up when a loop has run to its end, or, after
  /// a loop was left early, when the next one begins.
  std::int64_t epoch() const { return engine_.state().epoch; }
  const D& dataset() const { return *dataset_; }

  /// The position, for a checkpoint: within a loop, right after the batch at hand. With a share, it is that of all processes
  /// when this one has taken its batches of an update: right after the last batch of the update.
  LoaderState state() const { return engine_.state(); }
  /// The next loop goes on from there, with the batches an uninterrupted run would have seen.
  /// Throws: ValueError for a position that an epoch of this loader does not have.
  void restore(const LoaderState& state) { engine_.restore(state); }

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;

    const Batch& operator*() const { return loader_->batch_; }
    Iterator& operator++() {
      more_ = loader_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& iterator, std::default_sentinel_t) { return !iterator.more_; }

   private:
    friend class Loader;
    explicit Iterator(Loader* loader) : loader_(loader), more_(loader->advance()) {}

    Loader* loader_;
    bool more_;
  };

  /// Starts the next epoch.
  Iterator begin() {
    engine_.begin();
    return Iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  static constexpr std::size_t fields = std::tuple_size_v<Batch>;

  bool advance() {
    std::array<Tensor, fields> taken;
    const bool more = engine_.next(taken);
    [&]<std::size_t... I>(std::index_sequence<I...>) { ((std::get<I>(batch_) = std::move(taken[I])), ...); }
    (std::make_index_sequence<fields>());
    return more;
  }

  std::shared_ptr<const D> dataset_;
  detail::LoaderEngine engine_;  // after the data set: its workers read from it
  Batch batch_;
};

}  // namespace temper::data
