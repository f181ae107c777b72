#include "framework/kernels/isa.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "framework/core/format_internal.hpp"
#include "framework/kernels/isa/cpu.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels {

#define TEMPER_DECLARE(name) \
  namespace name {           \
  extern const Cpu cpu;      \
  extern const Parts parts;  \
  }
TEMPER_EACH_ISA(TEMPER_DECLARE)
#undef TEMPER_DECLARE

namespace {

struct Entry {
  std::string_view name;
  Isa isa;
  const Cpu* cpu;
};
#define TEMPER_ENTRY(name) {#name, Isa::name, &name::cpu},
constexpr Entry entries[] = {TEMPER_EACH_ISA(TEMPER_ENTRY)};
#undef TEMPER_ENTRY

const Entry& entry_of(Isa isa) { return entries[static_cast<std::size_t>(isa)]; }

Isa choose() {
  const char* const wanted = std::getenv("TEMPER_ISA");
  if (wanted == nullptr || *wanted == '\0') return supported_isas().back();
  std::string names;
  for (const auto& [name, isa, cpu] : entries) {
    if (wanted == name) {
      if (!supported(isa)) fail<ValueError>("TEMPER_ISA is '{}', which this CPU does not have", wanted);
      return isa;
    }
    names += names.empty() ? "" : isa == all_isas().back() ? " or " : ", ";
    names += name;
  }
  fail<ValueError>("TEMPER_ISA is '{}', expected {}", wanted, names);
}

}  // namespace

std::string to_string(Isa isa) { return entry_of(isa).cpu->title; }

std::string_view name_of(Isa isa) { return entry_of(isa).name; }

bool supported(Isa isa) { return entry_of(isa).cpu->supported(); }

const std::vector<Isa>& all_isas() {
  static const std::vector<Isa> all = [] {
    std::vector<Isa> result;
    for (const Entry& entry : entries) result.push_back(entry.isa);
    return result;
  }();
  return all;
}

const std::vector<Isa>& supported_isas() {
  static const std::vector<Isa> ours = [] {
    std::vector<Isa> result;
    std::ranges::copy_if(all_isas(), std::back_inserter(result), supported);
    return result;
  }();
  return ours;
}

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

const IsaTable& table(Isa isa) {
#define TEMPER_MERGED(name) merged(name::parts),
  static const IsaTable tables[] = {TEMPER_EACH_ISA(TEMPER_MERGED)};
#undef TEMPER_MERGED
  return tables[static_cast<std::size_t>(isa)];
}

const IsaTable& table() {
  static const IsaTable& chosen = table(isa());
  return chosen;
}

}  // namespace temper::kernels
