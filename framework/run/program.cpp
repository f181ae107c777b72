#include <temper/run/program.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string_view>

#include "framework/core/trace_internal.hpp"
#include "framework/run/command_line_internal.hpp"
#include "framework/run/shell_internal.hpp"
#include "framework/run/sweep_internal.hpp"

namespace temper {

int run_program(const Program& program, int argc, char** argv, const std::function<void(Run&)>& train) {
  return run_program(program, argc, argv, {}, train);
}

int run_program(const Program& program, int argc, char** argv, const std::function<void(OwnOptions&)>& own,
                const std::function<void(Run&)>& train) {
  const std::string called = std::filesystem::path(argv[0]).filename().native();
  std::signal(SIGXFSZ, SIG_IGN);                    // so that a write past the file size limit fails with EFBIG
  const char* how = std::getenv("TEMPER_COMMAND");  // the command line of run.sh
  const auto fails = [&](const char* what) {
    std::fprintf(stderr, "%s: %s\n", called.c_str(), what);
    return 1;
  };
  try {
    temper::detail::check_trace_file();
    if (argc > 1 && std::string_view(argv[1]) == "sweep") {
      return run_sweep(program, {argv + 2, argv + argc}, own, how != nullptr ? how : shell_quoted(argv[0]), called);
    }
    const Command command = read_command(program, argc, argv, own);
    if (command.status) return *command.status;
    if (command.options.threads > 0) set_threads(command.options.threads);
    print("{}", info());
    manual_seed(command.options.seed);
    Run run({.name = program.name,
             .options = command.options,
             .config = command.config,
             .program = called,
             .command = how != nullptr ? how : shell_quoted(argv[0]),
             .free = program.free});
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
