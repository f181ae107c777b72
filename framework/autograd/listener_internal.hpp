#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include <temper/autograd/operation.hpp>

namespace temper::detail {

/// An operation that was computed. Holds its tensors, so that none of their ids is used again.
struct Heard {
  using Value = std::variant<std::int64_t, double, std::vector<std::int64_t>, Tensor>;

  std::string name;
  std::vector<Tensor> inputs;  // undefined where an optional one was left out
  Tensor y;
  std::uint32_t version;  // of y, as computed
  std::map<std::string, Value, std::less<>> attributes;
};

/// Notes the operations that its thread computes during its lifetime, in their order, recorded or not. What another
/// operation computes inside may be among them; when several name the same result, the last one is what counts.
class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::vector<Heard> heard;

 private:
  Listener* outer_;
};

}  // namespace temper::detail
