#pragma once

// The only place that calls oneDNN, beside the kernels written on top of it. It caches compiled primitives per thread,
// up to a limit in bytes, so that a repeated call costs a look-up, the exchange of some pointers and the execution.
//
//     const Key key(Op::matmul, {m, n, k});
//     run(key, {a, b, y}, [&](Program& program) {       // only the first time
//       const auto pd = describe<matmul>(attributes(), a_desc, b_desc, y_desc);
//       program.add("matmul", pd,
//                   {{DNNL_ARG_SRC, program.operand(a_desc)}, {DNNL_ARG_WEIGHTS, program.operand(b_desc)}, ...});
//     });

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "framework/kernels/isa/table.hpp"
#include "framework/kernels/onednn_version.hpp"

namespace temper::kernels {

namespace onednn {

enum class Op : std::int64_t { matmul, conv_forward, conv_backward_data, conv_backward_weights };

/// What a program depends on: the operation, all its sizes and flags, and the number of threads. Fixed in size, so that
/// a look-up allocates nothing.
class Key {
 public:
  Key(Op op, std::initializer_list<Index> numbers);
  friend bool operator==(const Key&, const Key&) = default;
  std::size_t hash() const;
  std::string text() const;

 private:
  std::array<Index, 24> words_{};
};

/// The process's CPU engine.
const dnnl::engine& engine();

/// The attributes of every primitive here: we allocate the scratchpad.
dnnl::primitive_attr attributes();
/// The same, with the result added to the destination.
dnnl::primitive_attr accumulating();

/// The descriptor of a primitive, in oneDNN 2 and 3 alike.
template <class Primitive, class... Args>
auto describe(const dnnl::primitive_attr& attributes, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine(), args..., attributes);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), attributes, engine());
#endif
}

/// Whether every byte from `first` to `last` has that value.
bool all_are(std::byte value, const std::byte* first, const std::byte* last);

/// Whether it is one of oneDNN's reference implementations, which are right but a hundred times slower than the others.
bool is_reference(const std::string& implementation);

/// Moves a description on to the number-th implementation (from 0) that is not a reference one. False when there are
/// fewer.
template <class Description>
bool advance(Description& description, int number) {
  for (;; --number) {
    while (is_reference(description.impl_info_str())) {
      if (!description.next_impl()) return false;
    }
    if (number == 0) return true;
    if (!description.next_impl()) return false;
  }
}

/// The number-th descriptor (from 0) of a primitive that is not of a reference implementation; nothing when there are
/// fewer.
template <class Primitive, class... Args>
std::optional<typename Primitive::primitive_desc> describe_one(int number, const dnnl::primitive_attr& attributes,
                                                               const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  typename Primitive::primitive_desc result(engine(), args..., attributes);
#else
  const typename Primitive::desc problem(args...);  // must live while the descriptor is moved on
  typename Primitive::primitive_desc result(problem, attributes, engine());
#endif
  if (!advance(result, number)) return std::nullopt;
  return result;
}

/// The same of a backward primitive; `forward` is the descriptor of its forward primitive.
template <class Primitive, class Forward, class... Args>
std::optional<typename Primitive::primitive_desc> describe_one_backward(int number,
                                                                        const dnnl::primitive_attr& attributes,
                                                                        const Forward& forward, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  typename Primitive::primitive_desc result(engine(), args..., forward, attributes);
#else
  const typename Primitive::desc problem(args...);
  typename Primitive::primitive_desc result(problem, attributes, engine(), forward);
#endif
  if (!advance(result, number)) return std::nullopt;
  return result;
}

using Type = dnnl::memory::data_type;
/// oneDNN's data type for float and BFloat16.
template <class T>
inline constexpr Type type_of = std::is_same_v<T, BFloat16> ? Type::bf16 : Type::f32;
/// Throws: ValueError with the operation's name where the CPU does not multiply bf16.
void require_bf16(const char* operation);

/// Dense and row-major.
dnnl::memory::desc dense(const dnnl::memory::dims& dims, Type type = Type::f32);
/// An [n, c, h, w] array that lies in memory as NHWC.
dnnl::memory::desc nhwc(Index n, Index c, Index h, Index w, Type type = Type::f32);

/// Primitives that run one after another, with the memory they work on.
class Program {
 public:
  struct Argument {
    int name;  // DNNL_ARG_...
    int memory;
  };

  /// `gap` guard bytes follow every array of the workspace, see gaps_hold(); by default those of watch_workspaces().
  Program();
  explicit Program(std::size_t gap) : gap_(gap) {}

  /// Declares the next operand of run(). Returns its number for Argument::memory, as the next function.
  int operand(const dnnl::memory::desc& desc);
  /// Memory that lives only while the program runs.
  int temporary(const dnnl::memory::desc& desc);

  /// Appends a primitive, allocates its scratchpad and records the name of its implementation.
  void add(const char* what, const dnnl::primitive_desc_base& description, std::span<const Argument> arguments);
  void add(const char* what, const dnnl::primitive_desc_base& description, std::initializer_list<Argument> arguments) {
    add(what, description, std::span(arguments.begin(), arguments.size()));
  }
  /// Appends a copy between layouts; it adds to the destination when `accumulate`.
  void add_reorder(int from, int to, bool accumulate = false);

  /// y [m, n] = (or += when `accumulate`) a [m, k] times b [k, n] by oneDNN's gemm; a, b and y are operands.
  struct Gemm {
    Index m, n, k;
    int a, b, y;
    bool transpose_a, transpose_b, accumulate;
  };
  void add_gemm(const Gemm& gemm);

  /// `workspace` is 64-byte aligned and has workspace_bytes().
  void run(const dnnl::stream& stream, std::byte* workspace, std::span<const void* const> operands);
  std::size_t workspace_bytes() const { return temporary_bytes_ + scratchpad_bytes_ + gap_; }
  /// Estimated bytes that it occupies in the cache.
  std::size_t kept_bytes() const;
  bool empty() const { return steps_.empty(); }
  /// "matmul brg:avx512_core": the implementation added last, not counting reorders.
  const std::string& implementation() const { return implementation_; }
  void name_for_tests(std::string implementation) { implementation_ = std::move(implementation); }

  /// Whether every guard byte of the workspace still is 0xff, as fill_gaps() sets them.
  bool gaps_hold(const std::byte* workspace) const;
  /// Sets the guard bytes.
  void fill_gaps(std::byte* workspace) const;
  std::size_t gap() const { return gap_; }

 private:
  enum class Place { operand, temporary, scratchpad };
  struct Memory {
    dnnl::memory memory;
    Place place;
    std::size_t where;  // number of the operand, or offset in the workspace
    const void* address = nullptr;
  };
  struct Step {
    dnnl::primitive primitive;
    std::vector<dnnl_exec_arg_t> arguments;
    std::optional<Gemm> gemm;  // instead of the primitive
  };
  int add_memory(const dnnl::memory::desc& desc, Place place, std::size_t where);
  /// Calls f(offset in the workspace) for every gap.
  template <class F>
  void each_gap(F f) const;

  std::size_t gap_;
  std::vector<std::size_t> gaps_;  // where those after the temporaries begin
  std::string implementation_;
  std::vector<Memory> memories_;
  std::vector<Step> steps_;
  std::size_t operands_ = 0;
  std::size_t temporary_bytes_ = 0;
  std::size_t scratchpad_bytes_ = 0;
};

/// This thread's program for a key; null when there is none.
Program* find(const Key& key);
/// Caches a program. While all threads' programs exceed the limit, this thread's least recently used ones are dropped.
Program& keep(const Key& key, Program program);
/// Runs a program in a workspace from the pool.
void execute(Program& program, std::span<const void* const> operands);
/// Runs a program in a given workspace.
void execute_in(std::byte* workspace, Program& program, std::span<const void* const> operands);
/// For tests: from now on new programs have `gap` guard bytes after every array of their workspace, and execute()
/// throws Error when one was written to.
void watch_workspaces(std::size_t gap);
[[noreturn]] void fail_with(const dnnl::error& error);

/// Runs this thread's program for the key; compile(program) makes it if there is none yet. Which operands are read or
/// written depends on the program's primitives. Does nothing and returns false when compile() left the program empty.
/// Throws: Error with oneDNN's text when oneDNN fails; OutOfMemoryError.
template <class Compile>
bool run(const Key& key, std::initializer_list<const void*> operands, Compile&& compile) {
  try {
    Program* program = find(key);
    if (program == nullptr) {
      Program fresh;
      compile(fresh);
      program = &keep(key, std::move(fresh));
    }
    if (program->empty()) return false;
    execute(*program, std::span(operands.begin(), operands.size()));
    return true;
  } catch (const dnnl::error& error) {
    fail_with(error);
  }
}

/// Number of programs this thread caches now.
std::size_t kept_programs();
/// Estimated bytes of the cached programs of all threads, and their limit: by default an eighth of the machine's
/// memory, at most 1 GiB.
std::size_t kept_bytes();
std::size_t kept_limit();
void set_kept_limit(std::size_t bytes);

/// "matmul brg:avx512_core": every implementation compiled in this process. Tests check that none is a reference one.
std::set<std::string> implementations();

}  // namespace onednn
}  // namespace temper::kernels
