#pragma once

#include <cstdint>
#include <optional>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// For longer contexts than a model was trained with: frequencies whose wavelength exceeds context / low are divided by
/// `factor`, those below context / high are kept, and those between are interpolated. Source: Grattafiori et al., "The
/// Llama 3 herd of models" (2024), and Meta's published code.
struct Llama3Scaling {
  double factor = 8.0, low = 1.0, high = 4.0, context = 8192.0;
};

struct RotaryTableOptions {
  double base = 10000.0;  ///< pair i of n is rotated by base^(-i / n) radians per token
  double factor = 1.0;    ///< positions are divided by it
  std::optional<Llama3Scaling> llama3 = {};
};

/// Cosines and sines of the angles of positions 0 to positions - 1, [2, positions, features / 2] f32, computed in f64.
/// Throws: ValueError for an odd or negative number of features, a negative one of positions, a base or a factor that
/// is not above 0.
Tensor rotary_table(std::int64_t positions, std::int64_t features, const RotaryTableOptions& options = {});

struct RotaryOptions {
  int axis = -2;            ///< the axis of the tokens
  std::int64_t offset = 0;  ///< position of the first token
  Tensor positions = {};    ///< i64 [T]: the position of each token, in place of offset + t
  /// Features 2 i and 2 i + 1 are a pair, as in GPT-J and Meta's own Llama files. By default i and i + D / 2 are, as in
  /// the files of Hugging Face; weights made for one are wrong with the other.
  bool interleaved = false;
};

/// Rotates pairs of features by the position of their token: x [..., T, D], or with the tokens on another axis; f32 or
/// bf16. A table for fewer than D features rotates the first ones alone. Throws: ShapeError when the shapes do not fit;
/// ValueError for a position outside the table.
/// Source: Su et al., "RoFormer: enhanced transformer with rotary position embedding" (2021).
Tensor rotary_embedding(const Tensor& x, const Tensor& table, const RotaryOptions& options = {});

}  // namespace temper
