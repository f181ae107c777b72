#include <temper/autograd/ops/einsum.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <temper/autograd/ops/matmul.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/autograd/ops/ops_internal.hpp"

namespace temper {

namespace {

/// A tensor with a letter for each axis.
struct Labelled {
  Tensor tensor;
  std::string letters;

  std::int64_t size(char letter) const { return tensor.size(static_cast<int>(letters.find(letter))); }
};

struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

bool has(const std::string& letters, char letter) { return letters.find(letter) != std::string::npos; }

Equation parsed(std::string_view text) {
  const auto refuse = [&](const char* why) { fail<ValueError>("einsum: \"{}\": {}", text, why); };
  Equation equation;
  std::string letters;
  const std::size_t arrow = text.find("->");
  for (const char c : text.substr(0, arrow)) {
    if (c == ' ') continue;
    if (c == ',') {
      equation.operands.push_back(std::exchange(letters, {}));
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      if (has(letters, c)) refuse("a letter occurs twice in one operand");
      letters += c;
    } else {
      refuse("expected letters, commas and one \"->\"");
    }
  }
  equation.operands.push_back(letters);
  std::map<char, int> uses;
  for (const std::string& operand : equation.operands) {
    for (const char c : operand) ++uses[c];
  }
  if (arrow == std::string_view::npos) {
    for (const auto& [letter, count] : uses) {
      if (count == 1) equation.result += letter;
    }
    return equation;
  }
  for (const char c : text.substr(arrow + 2)) {
    if (c == ' ') continue;
    if (!uses.contains(c)) refuse("the result has a letter that no operand has");
    if (has(equation.result, c)) refuse("a letter occurs twice in the result");
    equation.result += c;
  }
  return equation;
}

/// Sums over the axes whose letters are not needed any more.
Labelled reduced(const Labelled& x, const std::string& needed) {
  std::vector<int> axes;
  std::string left;
  for (std::size_t i = 0; i < x.letters.size(); ++i) {
    if (has(needed, x.letters[i])) {
      left += x.letters[i];
    } else {
      axes.push_back(static_cast<int>(i));
    }
  }
  if (axes.empty()) return x;
  return {sum(x.tensor, Axes(std::span<const int>(axes))), left};
}

Tensor ordered(const Labelled& x, const std::string& letters) {
  if (x.letters == letters) return x.tensor;
  std::vector<int> axes;
  for (const char letter : letters) axes.push_back(static_cast<int>(x.letters.find(letter)));
  return permute(x.tensor, Axes(std::span<const int>(axes)));
}

Shape shape_of(const std::vector<std::int64_t>& sizes) { return Shape(std::span<const std::int64_t>(sizes)); }

/// The product of two operands, with those of their letters that are needed later.
Labelled multiplied(const Labelled& a, const Labelled& b, const std::string& needed) {
  std::string batch, rows, columns, summed;
  for (const char c : a.letters) (!has(b.letters, c) ? rows : has(needed, c) ? batch : summed) += c;
  for (const char c : b.letters) {
    if (!has(a.letters, c)) columns += c;
  }
  std::vector<std::int64_t> sizes;
  const auto product = [&](const Labelled& x, const std::string& letters, bool keep) {
    std::int64_t count = 1;
    for (const char c : letters) {
      count *= x.size(c);
      if (keep) sizes.push_back(x.size(c));
    }
    return count;
  };
  const std::int64_t batches = product(a, batch, true), m = product(a, rows, true), n = product(b, columns, true);
  const std::int64_t k = product(a, summed, false);
  const Tensor y = matmul(reshape(ordered(a, batch + rows + summed), Shape{batches, m, k}),
                          reshape(ordered(b, batch + summed + columns), Shape{batches, k, n}));
  return {reshape(y, shape_of(sizes)), batch + rows + columns};
}

}  // namespace

Tensor einsum(std::string_view text, std::span<const Tensor> operands) {
  const Equation equation = parsed(text);
  if (equation.operands.size() != operands.size()) {
    fail<ShapeError>("einsum: \"{}\" has {} operands, {} were given", text, equation.operands.size(), operands.size());
  }
  std::map<char, std::int64_t> sizes;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Tensor& x = operands[i];
    detail::require_float("einsum", "operand", x);
    const std::string& letters = equation.operands[i];
    if (x.rank() != static_cast<int>(letters.size())) {
      fail<ShapeError>("einsum: operand {} {}, \"{}\" expects {} axes", i, x.shape(), letters, letters.size());
    }
    for (std::size_t axis = 0; axis < letters.size(); ++axis) {
      const std::int64_t size = x.size(static_cast<int>(axis));
      if (const auto [known, fresh] = sizes.emplace(letters[axis], size); !fresh && known->second != size) {
        fail<ShapeError>("einsum: axis {} is {} in operand {} {}, and {} before", std::string(1, letters[axis]), size,
                         i, x.shape(), known->second);
      }
    }
  }
  // The letters needed after each operand: those of the result and of the operands that follow.
  std::vector<std::string> needed(operands.size(), equation.result);
  for (std::size_t i = operands.size(); i-- > 1;) needed[i - 1] = needed[i] + equation.operands[i];
  const auto operand = [&](std::size_t i) {
    std::string elsewhere = needed[i];
    for (std::size_t other = 0; other < i; ++other) elsewhere += equation.operands[other];
    return reduced({operands[i], equation.operands[i]}, elsewhere);
  };
  Labelled y = operand(0);
  for (std::size_t i = 1; i < operands.size(); ++i) y = multiplied(y, operand(i), needed[i]);
  return ordered(y, equation.result);
}

Tensor einsum(std::string_view equation, std::initializer_list<Tensor> operands) {
  return einsum(equation, std::span<const Tensor>(operands.begin(), operands.size()));
}

}  // namespace temper
