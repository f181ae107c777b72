#include <mpi.h>
#include <sched.h>

#include <array>
#include <thread>
#include <utility>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/distributed/mpi_internal.hpp"

namespace temper::distributed::detail {

namespace {

using namespace std::chrono_literals;

void check(int error, const char* what) {
  if (error == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(error, text.data(), &length);
  fail<LostError>("{}: {}", what, text.data());
}

class MpiTransport : public Transport {
 public:
  MpiTransport() {
    int initialized = 0, provided = 0;
    MPI_Initialized(&initialized);
    if (initialized == 0) {
      MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
      owns_ = true;
    }
    // A communicator of its own, as the program may use MPI itself. Errors are returned, for us to throw.
    MPI_Comm_dup(MPI_COMM_WORLD, &world_);
    MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN);
    MPI_Comm_rank(world_, &rank_);
    MPI_Comm_size(world_, &size_);
    MPI_Comm host = MPI_COMM_NULL;
    MPI_Comm_split_type(world_, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Comm_size(host, &neighbours_);
    MPI_Comm_free(&host);
  }

  ~MpiTransport() override {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized != 0) return;
    // MPI_Finalize would wait for the others. Without it, the launcher ends them when this process does.
    if (broken_) return;
    MPI_Comm_free(&world_);
    if (owns_) MPI_Finalize();
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int neighbours() const override { return neighbours_; }

  bool exchange(int to, std::span<const std::byte> sent, int from, std::span<std::byte> received,
                Clock::time_point until) override {
    std::array<MPI_Request, 2> requests = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    const bool was_broken = std::exchange(broken_, true);  // until the messages have arrived
    if (from >= 0) {
      check(MPI_Irecv(received.data(), static_cast<int>(received.size()), MPI_BYTE, from, data, world_, &requests[0]),
            "MPI_Irecv");
    }
    if (to >= 0) {
      check(MPI_Isend(sent.data(), static_cast<int>(sent.size()), MPI_BYTE, to, data, world_, &requests[1]), "MPI_Isend");
    }
    // MPI_Waitall would spin, and take the cores from the process it waits for.
    for (int looks = 0;; ++looks) {
      int done = 0;
      check(MPI_Testall(2, requests.data(), &done, MPI_STATUSES_IGNORE), "MPI_Testall");
      if (done != 0) break;
      if (looks < spins) continue;
      if (looks < spins + yields) {
        ::sched_yield();
        continue;
      }
      if (Clock::now() >= until) return false;
      std::this_thread::sleep_for(50us);
    }
    broken_ = was_broken;
    return true;
  }

  /// The first process tells the others, which wait a moment for that.
  bool abandon(const std::string&) noexcept override {
    broken_ = true;
    if (rank_ == 0) {
      std::vector<MPI_Request> requests(static_cast<std::size_t>(size_ - 1), MPI_REQUEST_NULL);
      for (int other = 1; other < size_; ++other) {
        MPI_Isend(nullptr, 0, MPI_BYTE, other, given_up, world_, &requests[static_cast<std::size_t>(other - 1)]);
      }
      int done = 0;
      const auto until = Clock::now() + 200ms;
      while (done == 0 && Clock::now() < until) {
        if (MPI_Testall(size_ - 1, requests.data(), &done, MPI_STATUSES_IGNORE) != MPI_SUCCESS) break;
      }
      return true;
    }
    int told = 0;
    const auto until = Clock::now() + 1s;
    while (told == 0 && Clock::now() < until) {
      if (MPI_Iprobe(0, given_up, world_, &told, MPI_STATUS_IGNORE) != MPI_SUCCESS) break;
      std::this_thread::sleep_for(1ms);
    }
    return told != 0;
  }

 private:
  static constexpr int data = 0, given_up = 1;     // tags
  static constexpr int spins = 100, yields = 1000;  // looks before it sleeps between them

  MPI_Comm world_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1, neighbours_ = 1;
  bool owns_ = false;    // MPI was initialized here
  bool broken_ = false;  // messages are under way, or this process cannot go on
};

}  // namespace

std::unique_ptr<Transport> mpi_transport() {
  if (!started_by_launcher()) return nullptr;
  return std::make_unique<MpiTransport>();
}

}  // namespace temper::distributed::detail
