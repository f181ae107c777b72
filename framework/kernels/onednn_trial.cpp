#include "framework/kernels/onednn_trial.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>

#include "framework/kernels/bfloat16.hpp"

namespace temper::kernels::onednn {

namespace {

/// As floats of either kind NaN, so that what is read but was never written is noticed, too.
constexpr std::byte untouched{0xff};
/// Behind and before a result it is another, so that fences of inputs that are copied there are seen.
constexpr std::byte result_fence{0xfe};
constexpr std::size_t operand_fence = std::size_t{1} << 14, workspace_fence = std::size_t{1} << 18;

std::size_t width_of(Type type) { return type == Type::bf16 ? 2 : 4; }

struct Verdicts {
  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, bool> known;  // by key and implementation
  std::vector<Trial> record;
};

Verdicts& verdicts() {
  static Verdicts instance;
  return instance;
}

enum class Verdict { right, wrong, unknown };

/// Whether there was a number-th way.
bool compiled(const Task& task, Program& program, int number) {
  try {
    return task.compile(program, number);
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return false;
    throw;
  }
}

/// Whether the implementation of that name solves the small task, if it does it at all; tried once in a process.
Verdict try_once(const Task& small, const std::string& implementation) {
  const std::pair name(small.key().text(), implementation);
  Verdicts& all = verdicts();
  {
    const std::lock_guard lock(all.mutex);
    if (const auto found = all.known.find(name); found != all.known.end()) {
      return found->second ? Verdict::right : Verdict::wrong;
    }
  }
  const auto begin = std::chrono::steady_clock::now();
  for (int number = 0;; ++number) {
    Program program(workspace_fence);
    if (!compiled(small, program, number)) return Verdict::unknown;
    if (program.implementation() != implementation) continue;
    const bool right = small.right(program);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    const std::lock_guard lock(all.mutex);
    if (all.known.emplace(name, right).second) all.record.push_back({implementation, right, took.count()});
    return right ? Verdict::right : Verdict::wrong;
  }
}

}  // namespace

WholeNumbers::WholeNumbers(Index terms, Type from, Type to) {
  const double count = static_cast<double>(std::max<Index>(terms, 1));
  if (to == Type::bf16) {
    // -1, 0 and 1, so many of them 0 that no sum comes near 256, beyond which bf16 has gaps.
    share_ = std::min(1.0, std::sqrt(1024.0 / count));
  } else {
    second_limit_ = 3;
    first_limit_ = std::clamp(std::floor(0x1p22 / (second_limit_ * count)), 1.0, from == Type::bf16 ? 127.0 : 1023.0);
  }
}

std::uint32_t WholeNumbers::next() {
  // Source: Knuth, "The Art of Computer Programming", volume 2, section 3.3.4, line 16 of table 1.
  state_ = state_ * 1664525u + 1013904223u;
  return state_ >> 8;
}

std::vector<float> WholeNumbers::draw(Index count, double limit) {
  std::vector<float> values(static_cast<std::size_t>(count));
  const auto choices = static_cast<std::uint64_t>(2 * limit + 1);
  const auto most = static_cast<float>(limit);
  const auto kept = static_cast<std::uint32_t>(share_ * 0x1p24);
  for (float& value : values) {
    value = static_cast<float>(static_cast<std::int64_t>(next() * choices >> 24)) - most;
    if (share_ < 1 && next() >= kept) value = 0;
  }
  return values;
}

std::vector<float> WholeNumbers::added(Index count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(next() % 15) - 7;
  return values;
}

std::vector<float> WholeNumbers::weights(Index count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(next() % 128 * 2 + 1);
  return values;
}

TrialArray::TrialArray(Type type, Index count)
    : type_(type),
      count_(count),
      bytes_(static_cast<std::size_t>(count) * width_of(type) + 2 * operand_fence + 64, untouched) {}

TrialArray::TrialArray(Type type, const std::vector<float>& values)
    : TrialArray(type, static_cast<Index>(values.size())) {
  if (type == Type::bf16) {
    std::ranges::transform(values, reinterpret_cast<BFloat16*>(start()), narrowed<BFloat16>);
  } else {
    std::ranges::copy(values, reinterpret_cast<float*>(start()));
  }
  before_ = bytes_;
}

std::byte* TrialArray::start() const {
  const auto first = reinterpret_cast<std::uintptr_t>(bytes_.data() + operand_fence);
  return reinterpret_cast<std::byte*>((first + 63) / 64 * 64);
}

std::byte* TrialArray::end() const { return start() + static_cast<std::size_t>(count_) * width_of(type_); }

void TrialArray::becomes_result() {
  std::fill(bytes_.data(), start(), result_fence);
  std::fill(end(), bytes_.data() + bytes_.size(), result_fence);
}

std::vector<float> TrialArray::values() const {
  std::vector<float> values(static_cast<std::size_t>(count_));
  if (type_ == Type::bf16) {
    std::transform(reinterpret_cast<const BFloat16*>(start()), reinterpret_cast<const BFloat16*>(end()), values.begin(),
                   [](BFloat16 half) { return widened(half); });
  } else {
    std::copy(reinterpret_cast<const float*>(start()), reinterpret_cast<const float*>(end()), values.begin());
  }
  return values;
}

bool TrialArray::unchanged() const { return std::memcmp(bytes_.data(), before_.data(), bytes_.size()) == 0; }

bool TrialArray::fences_hold() const {
  return all_are(result_fence, bytes_.data(), start()) && all_are(result_fence, end(), bytes_.data() + bytes_.size());
}

bool behaves(Program& program, std::vector<TrialArray>& arrays) {
  arrays.back().becomes_result();
  std::vector<const void*> operands;
  for (const TrialArray& array : arrays) operands.push_back(array.data());
  // In front of it, too.
  std::vector<std::byte> memory(program.workspace_bytes() + 2 * workspace_fence + 64, untouched);
  const auto start = reinterpret_cast<std::uintptr_t>(memory.data() + workspace_fence);
  auto* const workspace = reinterpret_cast<std::byte*>((start + 63) / 64 * 64);
  execute_in(workspace, program, operands);
  for (std::size_t i = 0; i + 1 < arrays.size(); ++i) {
    if (!arrays[i].unchanged()) return false;
  }
  return arrays.back().fences_hold() && program.gaps_hold(workspace) && all_are(untouched, memory.data(), workspace) &&
         all_are(untouched, workspace + program.workspace_bytes(), memory.data() + memory.size());
}

Program choose(const Task& task, const Task& small) {
  for (int number = 0;; ++number) {
    Program program;
    if (!compiled(task, program, number)) return Program();
    Verdict verdict = try_once(small, program.implementation());
    // An implementation that will not do the small one is tried on the real one.
    if (verdict == Verdict::unknown) verdict = try_once(task, program.implementation());
    if (verdict == Verdict::right) return program;
  }
}

std::vector<Trial> trials() {
  Verdicts& all = verdicts();
  const std::lock_guard lock(all.mutex);
  return all.record;
}

}  // namespace temper::kernels::onednn
