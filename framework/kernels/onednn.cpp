#include "framework/kernels/onednn.hpp"

#include <omp.h>
#include <oneapi/dnnl/dnnl_debug.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <list>
#include <mutex>
#include <new>
#include <string_view>
#include <unordered_map>

#include <temper/core/buffer.hpp>
#include <temper/core/parallel.hpp>
#include <temper/core/pool.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::kernels {

namespace {

#if defined(__aarch64__)

std::string instruction_set() { return has_bf16() ? "arm64 with bfloat16" : "arm64"; }

#else

std::string instruction_set() {
  // By number, because not all versions' headers have all names.
  switch (static_cast<int>(dnnl_get_effective_cpu_isa())) {
    case 0x1: return "SSE4.1";
    case 0x3: return "AVX";
    case 0x7: return "AVX2";
    case 0xf: return "AVX2 with VNNI";
    case 0x27: return "AVX-512";
    case 0x67: return "AVX-512 with VNNI";
    case 0xe7: return "AVX-512 with bfloat16";
    case 0x1ef: return "AVX-512 with float16";
    case 0x3e7:
    case 0xfef: return "AVX-512 with AMX";
    default: return fmt::format("instruction set {:#x}", static_cast<int>(dnnl_get_effective_cpu_isa()));
  }
}

#endif

}  // namespace

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{} ({})", version->major, version->minor, version->patch, instruction_set());
}

bool has_bf16() {
#if defined(__aarch64__)
  return (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0;
#else
  // oneDNN's numbers of instruction sets have a bit for each extension; this one is that of AVX-512's bf16.
  static const bool has = (static_cast<int>(dnnl_get_effective_cpu_isa()) & 0x80) != 0;
  return has;
#endif
}

namespace onednn {

namespace {

constexpr std::size_t alignment = 64;

std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

void check(dnnl_status_t status, const char* what) {
  if (status == dnnl_out_of_memory) fail<OutOfMemoryError>("oneDNN: not enough memory for its {}", what);
  if (status != dnnl_success) fail<Error>("oneDNN: {} failed: {}", what, dnnl_status2str(status));
}

struct KeyHash {
  std::size_t operator()(const Key& key) const { return key.hash(); }
};

/// Memory of one of oneDNN's primitives: 20 to 80 KiB were measured in versions 2.6 and 3.7, most of it generated code.
constexpr std::size_t primitive_bytes = std::size_t{64} << 10;
/// More than oneDNN allocates for the code of one primitive, and for that of its gemm's kernels, all of which it
/// generates at once: 6 MiB in version 2.6 with AVX2.
constexpr std::size_t primitive_code = std::size_t{4} << 20, gemm_code = std::size_t{16} << 20;

/// Bytes that the cached programs of all threads occupy, and their limit.
struct CacheSize {
  std::atomic<std::size_t> bytes{0};
  std::atomic<std::size_t> limit;
  CacheSize() {
    const auto machine =
        static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    limit = std::min(std::size_t{1} << 30, machine / 8);
  }
};

/// Never destroyed: threads that end after main subtract the bytes of their programs.
CacheSize& cache_size() {
  static auto* const instance = new CacheSize;
  return *instance;
}

/// The oneDNN objects of a thread, which threads must not share.
struct ThreadState {
  using Entry = std::pair<Key, Program>;

  dnnl::stream stream{engine()};
  std::list<Entry> programs;  // most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> by_key;

  ThreadState() { detail::trim_with_pool(&ThreadState::trim); }
  ~ThreadState() { clear(); }

  void drop_oldest() {
    cache_size().bytes -= programs.back().second.kept_bytes();
    by_key.erase(programs.back().first);
    programs.pop_back();
  }
  void clear() {
    while (!programs.empty()) drop_oldest();
  }
  static void trim();
};

ThreadState& this_thread() {
  thread_local ThreadState state;
  return state;
}

void ThreadState::trim() { this_thread().clear(); }

/// oneDNN 2.6 does not check the result of allocating memory for generated code, and crashes without it.
void require_room_for_code(std::size_t room) {
  for (const bool again : {true, false}) {
    void* const memory = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) {
      munmap(memory, room);
      return;
    }
    if (again) trim_pool();
  }
  fail<OutOfMemoryError>("oneDNN: not enough memory to compile a primitive");
}

struct Implementations {
  std::mutex mutex;
  std::set<std::string> names;
};

Implementations& implementation_record() {
  static Implementations record;
  return record;
}

void record_implementation(const std::string& name) {
  Implementations& record = implementation_record();
  const std::lock_guard lock(record.mutex);
  record.names.insert(name);
}

std::atomic<std::size_t> watched_gap = 0;

}  // namespace

Key::Key(Op op, std::initializer_list<Index> numbers) {
  // Before any call of oneDNN: it hangs when a team has fewer threads than it planned for.
  detail::prepare_thread();
  if (numbers.size() + 3 > words_.size()) fail<Error>("oneDNN key of {} numbers is too long", numbers.size());
  words_[0] = static_cast<Index>(op);
  words_[1] = omp_in_parallel() ? 1 : omp_get_max_threads();
  words_[2] = static_cast<Index>(numbers.size());
  std::ranges::copy(numbers, words_.begin() + 3);
}

std::size_t Key::hash() const {
  std::uint64_t sum = 0;
  for (const Index word : words_) {
    sum = (sum ^ static_cast<std::uint64_t>(word)) * 0x9e3779b97f4a7c15u;
    sum ^= sum >> 32;
  }
  return sum;
}

std::string Key::text() const {
  std::string text;
  for (const Index word : words_) text += std::to_string(word) + ' ';
  return text;
}

const dnnl::engine& engine() {
  // Never destroyed: primitives in the caches of other threads may outlive static variables.
  static const auto* instance = [] {
    // With other threads than OpenMP's, set_threads() would not reach it and both would want the same cores.
    if (const unsigned runtime = dnnl_version()->cpu_runtime; runtime != DNNL_RUNTIME_OMP) {
      fail<Error>("this oneDNN was built with the CPU runtime {}, expected OpenMP ({})", runtime, DNNL_RUNTIME_OMP);
    }
    return new dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return *instance;
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::primitive_attr accumulating() {
  dnnl::primitive_attr result = attributes();
  dnnl::post_ops sum;
  sum.append_sum(1.0f);
  result.set_post_ops(sum);
  return result;
}

void require_bf16(const char* operation) {
  if (!has_bf16()) fail<ValueError>("{}: this CPU has no instructions for bf16; use f32", operation);
}

bool all_are(std::byte value, const std::byte* first, const std::byte* last) {
  // The first is, and each of the others is as the one before it.
  return first == last ||
         (*first == value && std::memcmp(first, first + 1, static_cast<std::size_t>(last - first - 1)) == 0);
}

bool is_reference(const std::string& implementation) {
  // "ref:any", "jit_ref", "gemm:ref"
  return implementation.find("ref") != std::string::npos;
}

dnnl::memory::desc dense(const dnnl::memory::dims& dims, Type type) {
  dnnl::memory::dims strides(dims.size());
  dnnl::memory::dim stride = 1;
  for (std::size_t i = dims.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= dims[i];
  }
  return {dims, type, strides};
}

dnnl::memory::desc nhwc(Index n, Index c, Index h, Index w, Type type) {
  return {{n, c, h, w}, type, dnnl::memory::format_tag::nhwc};
}

Program::Program() : gap_(watched_gap) {}

int Program::add_memory(const dnnl::memory::desc& desc, Place place, std::size_t where) {
  memories_.push_back({dnnl::memory(desc, engine(), DNNL_MEMORY_NONE), place, where});
  return static_cast<int>(memories_.size() - 1);
}

int Program::operand(const dnnl::memory::desc& desc) { return add_memory(desc, Place::operand, operands_++); }

int Program::temporary(const dnnl::memory::desc& desc) {
  const std::size_t offset = temporary_bytes_;
  gaps_.push_back(offset + aligned(desc.get_size()));
  temporary_bytes_ = gaps_.back() + gap_;
  return add_memory(desc, Place::temporary, offset);
}

void Program::add(const char* what, const dnnl::primitive_desc_base& description, std::span<const Argument> arguments) {
  const std::string name = fmt::format("{} {}", what, description.impl_info_str());
  record_implementation(name);
  if (std::string_view(what) != "reorder") implementation_ = name;
  require_room_for_code(primitive_code);
  Step step{dnnl::primitive(description.get()), {}, {}};
  for (const auto& [argument, memory] : arguments) {
    step.arguments.push_back({argument, memories_[static_cast<std::size_t>(memory)].memory.get()});
  }
  if (const std::size_t bytes = description.scratchpad_desc().get_size(); bytes > 0) {
    const int memory = add_memory(description.scratchpad_desc(), Place::scratchpad, 0);
    step.arguments.push_back({DNNL_ARG_SCRATCHPAD, memories_[static_cast<std::size_t>(memory)].memory.get()});
    scratchpad_bytes_ = std::max(scratchpad_bytes_, aligned(bytes));
  }
  steps_.push_back(std::move(step));
}

void Program::add_reorder(int from, int to, bool accumulate) {
  const dnnl::reorder::primitive_desc description(engine(), memories_[static_cast<std::size_t>(from)].memory.get_desc(),
                                                  engine(), memories_[static_cast<std::size_t>(to)].memory.get_desc(),
                                                  accumulate ? accumulating() : attributes());
  add("reorder", description, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

std::size_t Program::kept_bytes() const {
  return sizeof(Program) + steps_.size() * (primitive_bytes + sizeof(Step)) + memories_.size() * sizeof(Memory);
}

void Program::add_gemm(const Gemm& gemm) {
  implementation_ = "gemm";
  record_implementation(implementation_);
  steps_.push_back({{}, {}, gemm});
}

template <class F>
void Program::each_gap(F f) const {
  for (const std::size_t offset : gaps_) f(offset);
  f(temporary_bytes_ + scratchpad_bytes_);
}

bool Program::gaps_hold(const std::byte* workspace) const {
  bool hold = true;
  each_gap([&](std::size_t offset) {
    const std::byte* first = workspace + offset;
    hold = hold && all_are(std::byte{0xff}, first, first + gap_);
  });
  return hold;
}

void Program::fill_gaps(std::byte* workspace) const {
  each_gap([&](std::size_t offset) { std::fill_n(workspace + offset, gap_, std::byte{0xff}); });
}

void Program::run(const dnnl::stream& stream, std::byte* workspace, std::span<const void* const> operands) {
  for (Memory& memory : memories_) {
    const void* address = nullptr;
    switch (memory.place) {
      case Place::operand: address = operands[memory.where]; break;
      case Place::temporary: address = workspace + memory.where; break;
      case Place::scratchpad: address = workspace + temporary_bytes_; break;
    }
    if (address == memory.address) continue;
    memory.memory.set_data_handle(const_cast<void*>(address));
    memory.address = address;
  }
  const auto floats = [&](int number) {
    return static_cast<float*>(const_cast<void*>(memories_[static_cast<std::size_t>(number)].address));
  };
  for (const Step& step : steps_) {
    if (step.gemm) {
      const auto& [m, n, k, a, b, y, transpose_a, transpose_b, accumulate] = *step.gemm;
      check(dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f, floats(a), transpose_a ? m : k,
                       floats(b), transpose_b ? k : n, accumulate ? 1.0f : 0.0f, floats(y), n),
            "gemm");
      continue;
    }
    check(dnnl_primitive_execute(step.primitive.get(), stream.get(), static_cast<int>(step.arguments.size()),
                                 step.arguments.data()),
          "execution");
  }
  check(dnnl_stream_wait(stream.get()), "execution");
}

Program* find(const Key& key) {
  ThreadState& state = this_thread();
  const auto found = state.by_key.find(key);
  if (found == state.by_key.end()) return nullptr;
  state.programs.splice(state.programs.begin(), state.programs, found->second);
  return &found->second->second;
}

Program& keep(const Key& key, Program program) {
  ThreadState& state = this_thread();
  const std::size_t bytes = program.kept_bytes();
  while (!state.programs.empty() && cache_size().bytes + bytes > cache_size().limit) state.drop_oldest();
  state.programs.emplace_front(key, std::move(program));
  cache_size().bytes += bytes;
  state.by_key[key] = state.programs.begin();
  return state.programs.front().second;
}

void execute(Program& program, std::span<const void* const> operands) {
  const std::size_t bytes = program.workspace_bytes();
  const detail::Buffer memory = bytes > 0 ? detail::Buffer(bytes) : detail::Buffer();
  std::byte* const workspace = bytes > 0 ? memory.data() : nullptr;
  dnnl::stream& stream = this_thread().stream;
  if (program.gap() == 0) return program.run(stream, workspace, operands);
  program.fill_gaps(workspace);
  program.run(stream, workspace, operands);
  if (!program.gaps_hold(workspace)) fail<Error>("oneDNN: {} wrote past its workspace", program.implementation());
}

void execute_in(std::byte* workspace, Program& program, std::span<const void* const> operands) {
  require_room_for_code(gemm_code);  // which is generated when it first runs, in a trial
  program.run(this_thread().stream, workspace, operands);
}

void watch_workspaces(std::size_t gap) { watched_gap = aligned(gap); }

void fail_with(const dnnl::error& error) {
  if (error.status == dnnl_out_of_memory) fail<OutOfMemoryError>("oneDNN: not enough memory ({})", error.message);
  fail<Error>("oneDNN: {} ({})", error.message, dnnl_status2str(error.status));
}

std::size_t kept_programs() { return this_thread().programs.size(); }
std::size_t kept_bytes() { return cache_size().bytes; }
std::size_t kept_limit() { return cache_size().limit; }
void set_kept_limit(std::size_t bytes) { cache_size().limit = bytes; }

std::set<std::string> implementations() {
  Implementations& record = implementation_record();
  const std::lock_guard lock(record.mutex);
  return record.names;
}

}  // namespace onednn
}  // namespace temper::kernels
