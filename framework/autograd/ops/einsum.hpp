#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// Sums of products by Einstein's convention: einsum("bqd,bkd->bqk", {q, k}). Each letter names an axis; letters that the
/// result leaves out are summed over. Without "->" the result has the letters that occur once, in alphabetic order.
/// Operands are f32, or all bf16, and multiplied from left to right by matmul, after permutations.
/// Throws: ValueError for an equation that cannot be read, with "..." or with a letter twice in one operand; ShapeError
/// when an axis has two sizes, and when the operands do not fit the equation.
Tensor einsum(std::string_view equation, std::span<const Tensor> operands);
Tensor einsum(std::string_view equation, std::initializer_list<Tensor> operands);

}  // namespace temper
