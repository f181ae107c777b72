#include "tests/structure/rules.hpp"

#include <array>
#include <cctype>
#include <filesystem>
#include <regex>
#include <sstream>

namespace temper::structure {

namespace {

struct Folder {
  std::string_view name;
  int rank;
};

// A folder may only include folders of a lower rank. Folders of the same rank must not include each other.
constexpr std::array<Folder, 13> folders = {{{"core", 0},
                                             {"kernels", 1},
                                             {"optim/kernels", 2},
                                             {"tensor", 2},
                                             {"autograd", 3},
                                             {"nn", 4},
                                             {"optim", 4},
                                             {"data", 4},
                                             {"io", 5},
                                             {"train", 6},
                                             {"distributed", 8},
                                             {"run", 9},
                                             {"models", 10}}};
constexpr int umbrella_rank = 7;

int rank_of(std::string_view folder) {
  if (folder == "umbrella") return umbrella_rank;
  for (const Folder& known : folders) {
    if (known.name == folder) return known.rank;
  }
  return -1;
}

bool within(std::string_view path, std::string_view folder) { return path.starts_with(folder); }
bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

struct Include {
  std::string name;
  bool quoted;
};

std::vector<Include> includes_of(const std::string& text) {
  static const std::regex pattern(R"re(^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"])re", std::regex::multiline);
  std::vector<Include> result;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    result.push_back({(*match)[2], (*match)[1] == "\""});
  }
  return result;
}

/// The project's file that an include names, relative to the root; "" for an external one.
std::string target_of(std::string_view path, const Include& include) {
  const std::string_view name = include.name;
  if (name == "temper/temper.hpp") return "framework/temper.hpp";
  if (name.starts_with("temper/optim/") || name.starts_with("temper/models/")) return std::string(name.substr(7));
  if (name.starts_with("temper/")) return "framework/" + std::string(name.substr(7));
  if (!include.quoted) return "";
  if (!folder_of(name).empty()) return std::string(name);
  return (std::filesystem::path(path).parent_path() / name).lexically_normal().generic_string();
}

bool standard_header(std::string_view name) { return name.find_first_of("./") == std::string_view::npos; }

bool may_use_dnnl(std::string_view path) { return within(path, "framework/kernels/"); }
bool may_use_xsimd(std::string_view path) {
  return within(path, "framework/kernels/") || within(path, "optim/kernels/");
}
/// What an instruction set does in its own way is in its folder; x86.hpp is what three of them share.
bool may_use_intrinsics(std::string_view path) {
  constexpr std::string_view sets = "framework/kernels/isa/";
  return within(path, sets) && (contains(path.substr(sets.size()), "/") || path.ends_with("/x86.hpp"));
}
bool may_use_openmp(std::string_view path) { return may_use_xsimd(path) || within(path, "framework/core/parallel."); }

bool found(const std::string& text, const char* pattern) { return std::regex_search(text, std::regex(pattern)); }

/// The lines that match the pattern and whose first group satisfies the predicate.
template <class Wanted>
std::vector<std::string> matching(std::string_view listing, const char* pattern, Wanted wanted) {
  const std::regex regex(pattern);
  std::vector<std::string> result;
  std::istringstream lines{std::string(listing)};
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, regex) && wanted(match[1].str())) result.push_back(line);
  }
  return result;
}

}  // namespace

std::string folder_of(std::string_view path) {
  if (path == "framework/temper.hpp") return "umbrella";
  if (path.starts_with("optim/kernels/")) return "optim/kernels";
  if (path.starts_with("optim/")) return "optim";
  if (path.starts_with("models/")) return "models";
  if (!path.starts_with("framework/")) return "";
  const std::string_view rest = path.substr(10);
  const auto slash = rest.find('/');
  return slash == std::string_view::npos ? "" : std::string(rest.substr(0, slash));
}

bool is_public(std::string_view path) {
  return path.ends_with(".hpp") && !path.ends_with("_internal.hpp") && !contains(path, "/kernels/") &&
         !path.starts_with("models/study/");
}

std::string without_comments(std::string_view text, bool empty_strings) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    std::size_t end;  // of a literal
    if (rest.starts_with("//")) {
      i += std::min(rest.find('\n'), rest.size());
      continue;
    } else if (rest.starts_with("/*")) {
      const auto close = rest.find("*/", 2);
      i += close == std::string_view::npos ? rest.size() : close + 2;
      result += ' ';
      continue;
    } else if (rest.starts_with("R\"")) {
      std::string close = ")";
      close += rest.substr(2, rest.find('(') - 2);
      close += '"';
      const auto at = rest.find(close);
      end = at == std::string_view::npos ? rest.size() : at + close.size();
    } else if (rest[0] == '"' ||
               (rest[0] == '\'' && !(i > 0 && std::isalnum(static_cast<unsigned char>(text[i - 1]))))) {
      end = 1;
      while (end < rest.size() && rest[end] != rest[0] && rest[end] != '\n') end += rest[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, rest.size());
    } else {
      result += text[i++];
      continue;
    }
    result += empty_strings ? std::string_view("\"\"") : rest.substr(0, end);
    i += end;
  }
  return result;
}

std::vector<std::string> violations(std::string_view path, std::string_view text) {
  std::vector<std::string> result;
  const auto broken = [&](const std::string& what) { result.push_back(std::string(path) + ": " + what); };

  const std::string folder = folder_of(path);
  const int rank = rank_of(folder);
  if (rank < 0) {
    broken("lies in no folder of the house");
    return result;
  }

  const std::string code = without_comments(text);
  for (const Include& include : includes_of(code)) {
    const std::string& name = include.name;
    if ((name.starts_with("oneapi/") || name.starts_with("dnnl")) && !may_use_dnnl(path)) {
      broken("includes " + name + "; oneDNN belongs in framework/kernels");
    }
    if (name.starts_with("xsimd") && !may_use_xsimd(path)) {
      broken("includes " + name + "; xsimd belongs in the kernels folders");
    }
    if (name == "omp.h" && !may_use_openmp(path)) {
      broken("includes omp.h; OpenMP belongs in the kernels folders and core/parallel");
    }

    const std::string target = target_of(path, include);
    if (target.empty()) {
      if (is_public(path) && !standard_header(name)) broken("is public and includes " + name);
      continue;
    }
    if (is_public(path) && (!name.starts_with("temper/") || !is_public(target))) {
      broken("is public and includes the private \"" + name + "\"");
    }
    const std::string target_folder = folder_of(target);
    const int target_rank = rank_of(target_folder);
    if (target_rank < 0) {
      broken("includes " + name + ", which lies in no folder of the house");
    } else if (target_folder != folder && target_rank >= rank) {
      broken("includes " + name + "; an arrow from " + folder + " to " + target_folder + " runs back");
    } else if (target_folder == "optim/kernels" && folder != "optim" && folder != "optim/kernels") {
      broken("includes " + name + "; the kernels of optim are its own");
    }
  }

  const std::string bare = without_comments(text, true);
  if (!may_use_openmp(path) && (found(code, R"(#[ \t]*pragma[ \t]+omp\b)") || found(code, R"re(_Pragma\("omp\b)re"))) {
    broken("has an OpenMP pragma; they belong in the kernels folders and core/parallel");
  }
  if (!may_use_intrinsics(path) &&
      (found(code, R"(#[ \t]*include[ \t]*<(\w*intrin|arm_\w+|riscv_vector|cpuid)\.h>)") ||
       found(bare,
             R"(\b(_mm\d*_\w+|__m(128|256|512)\w*|v(ld|st)[1-4]q?_\w+|__builtin_(ia32|cpu|aarch64)_\w+|asm)\b)"))) {
    broken("uses instructions of one processor; they belong in the folders of framework/kernels/isa");
  }
  // Exception: programs ask for the version by #if.
  if (is_public(path) && path != "framework/core/version.hpp" && found(bare, R"(#[ \t]*define\b)")) {
    broken("is public and defines a macro");
  }
  // Exception: the table that TEMPER_TRACE requests is printed at the end of the process.
  if (folder != "train" && folder != "run" && folder != "models" && path != "framework/core/trace.cpp" &&
      found(bare, R"(\b(std::(cout|cerr|clog)|fmt::print|f?printf|f?puts|fputs|putchar)\b)")) {
    broken("prints; only train and run do");
  }
  if (found(bare, R"(\b(v?[fs]?scanf|strto(d|f|ld)|sto(d|f|ld)|atof)[ \t]*\()")) {
    broken("reads numbers as the locale says, with a decimal comma in half of Europe; std::from_chars does not");
  }
  if (folder != "models" && found(bare, R"(\b(abort|exit|_Exit|quick_exit|terminate)[ \t]*\()")) {
    broken("ends the program; a library throws");
  }
  return result;
}

std::vector<std::string> untagged_symbols(std::string_view listing, std::string_view tag) {
  // A line of a global definition: the address, then its kind, a capital letter or `u` (unique in the process).
  return matching(listing, R"(^[0-9a-fA-F]+ [A-Zu] (\S+).*$)", [tag](const std::string& name) {
    // DW.ref.*: the compiler's pointers for exception handling. They are data, and the same in every file.
    return !contains(name, tag) && !name.starts_with("DW.ref.");
  });
}

std::vector<std::string> callable_functions(std::string_view listing) {
  return matching(listing, R"(^[0-9a-fA-F]+ [Ti] (\S+).*$)", [](const std::string&) { return true; });
}

std::vector<std::string> run_at_start(std::string_view listing) {
  return matching(listing, R"(^.* (\.(preinit_array|init_array|ctors|init)\S*) .*$)",
                  [](const std::string&) { return true; });
}

}  // namespace temper::structure
