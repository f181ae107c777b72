#pragma once

#include <set>
#include <string>
#include <vector>

namespace temper::test {

/// The reference implementations among oneDNN's implementations ("matmul ref:any"). They are a hundred times slower
/// than the others, so Temper must not use them for any shape or layout.
inline std::vector<std::string> slow_implementations(const std::set<std::string>& names) {
  std::vector<std::string> slow;
  for (const std::string& name : names) {
    // "ref:any", "jit_ref", "gemm:ref"; the name of what it computes comes before the first blank that ends it.
    if (name.substr(name.rfind(' ') + 1).find("ref") != std::string::npos) slow.push_back(name);
  }
  return slow;
}

}  // namespace temper::test
