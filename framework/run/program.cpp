#include <temper/run/program.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <optional>
#include <string_view>
#include <thread>

#include <temper/core/parallel.hpp>
#include <temper/distributed/group.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/core/trace_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/run/command_line_internal.hpp"
#include "framework/run/shell_internal.hpp"
#include "framework/run/sweep_internal.hpp"

namespace temper {

namespace {

/// How long a process waits for another: $TEMPER_WAIT in seconds.
std::chrono::seconds limit() {
  const char* const text = std::getenv("TEMPER_WAIT");
  if (text == nullptr) return distributed::GroupOptions{}.limit;
  int seconds = 0;
  const char* const end = text + std::strlen(text);
  const auto [stopped, error] = std::from_chars(text, end, seconds);
  if (error != std::errc() || stopped != end || seconds < 1) {
    fail<ValueError>("TEMPER_WAIT is '{}', expected a number of seconds", detail::printable(text));
  }
  return std::chrono::seconds(seconds);
}

/// The processes of a machine share its cores, unless somebody said how many each has: the option, OMP_NUM_THREADS, or
/// the launcher, which may have bound them to some.
void choose_threads(int wanted, const distributed::Group& world) {
  if (wanted > 0) return set_threads(wanted);
  if (world.size() == 1 || std::getenv("OMP_NUM_THREADS") != nullptr) return;
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  set_threads(std::max(1, std::min(threads(), cores / world.neighbours())));
}

}  // namespace

int run_program(const Program& program, int argc, char** argv, const std::function<void(Run&)>& train) {
  return run_program(program, argc, argv, {}, train);
}

int run_program(const Program& program, int argc, char** argv, const std::function<void(OwnOptions&)>& own,
                const std::function<void(Run&)>& train) {
  const std::string called = std::filesystem::path(argv[0]).filename().native();
  std::signal(SIGXFSZ, SIG_IGN);                    // so that a write past the file size limit fails with EFBIG
  const char* how = std::getenv("TEMPER_COMMAND");  // the command line of run.sh
  std::optional<distributed::Group> world;
  // What goes wrong for all, the first process says.
  const auto fails = [&](const char* what) {
    if (!world || world->size() == 1) {
      std::fprintf(stderr, "%s: %s\n", called.c_str(), what);
      return 1;
    }
    if (world->abandon(what) && world->rank() > 0) return 1;
    std::fprintf(stderr, "%s: rank %d of %d, in %s: %s\n", called.c_str(), world->rank(), world->size(),
                 std::string(world->activity()).c_str(), what);
    return 1;
  };
  try {
    world.emplace(distributed::GroupOptions{.limit = limit()});
    if (world->rank() > 0 && std::freopen("/dev/null", "w", stdout) == nullptr)
      return fails("/dev/null: cannot be opened");
    if (world->rank() > 0) ::unsetenv("TEMPER_TRACE");  // one process writes the file
    temper::detail::check_trace_file();
    if (argc > 1 && std::string_view(argv[1]) == "sweep") {
      if (world->size() > 1) fail<ValueError>("sweep runs in one process, this is one of {}", world->size());
      ::unsetenv("TEMPER_TRACE");  // else each of its runs would write the one file
      return run_sweep(program, {argv + 2, argv + argc}, own, how != nullptr ? how : shell_quoted(argv[0]), called);
    }
    Program shared = program;
    if (world->size() > 1 && shared.defaults.shards == 1) shared.defaults.shards = 8;
    const Command command = read_command(shared, argc, argv, own, world->rank() > 0);
    if (command.status) {
      if (*command.status != 0) world->abandon("a bad option");
      return *command.status;
    }
    choose_threads(command.options.threads, *world);
    print("{}", info());
    manual_seed(command.options.seed);
    Run run({.name = program.name,
             .options = command.options,
             .config = command.config,
             .program = called,
             .command = how != nullptr ? how : shell_quoted(argv[0]),
             .free = program.free,
             .group = &*world});
    if (world->size() > 1) {
      print("{} processes, {} on this machine; {} of {} shards each", world->size(), world->neighbours(),
            command.options.shards / world->size(), command.options.shards);
    }
    train(run);
    run.finish();
    return 0;
  } catch (const Stopped& stopped) {
    return stopped.status;
  } catch (const std::bad_alloc&) {
    return fails("not enough memory; a smaller --batch-size takes less, and so does --accumulate in its place");
  } catch (const std::exception& error) {
    return fails(error.what());
  }
}

}  // namespace temper
