#pragma once

// What optimizers with sparse parameters share.

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include <temper/optim/group.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim::detail {

inline bool is_sparse(const Parameter& parameter) { return parameter.defined() && parameter.sparse(); }

inline bool any_sparse(const Groups& groups) {
  return std::ranges::any_of(groups,
                             [](const Group& group) { return std::ranges::any_of(group.parameters, is_sparse); });
}

/// An update of a row that has neither a gradient nor momentum: p -= decay * p; v = beta2 * v.
struct Idle {
  float decay, beta2;
};
/// These updates in turn, of [n]; p and v may be null.
void idle_updates(std::span<const Idle> updates, float* p, float* v, std::int64_t n);

/// What is left of a row's momentum, relative to where the row's last gradient left it, is dropped below this: it would
/// move the row by less than the rounding of what it has moved since.
inline constexpr float least_momentum = 0x1p-28f;

/// Does to a row, for each of the updates it missed, what the update does with a gradient of 0: while its momentum is
/// of weight by `update(now)`, which returns the factor by which the momentum shrinks against the divisor of the step;
/// then by `rest(now)` alone, which is decay. Where `stirs(now)`, an update with a gradient of 0 makes momentum, by l2.
/// `left` is the row's, 0 when it never had a gradient. `momentum` and `v` are its [n], or null.
template <class Stirs, class Update, class Rest>
void catch_up(const Piece& row, std::span<const Now> missed, float& left, float* momentum, float* v, Stirs stirs,
              Update update, Rest rest) {
  std::array<Idle, 256> updates;
  for (auto now = missed.begin(); now != missed.end();) {
    if (stirs(*now)) left = 1.0f;
    if (left >= least_momentum) {
      left *= update(*now++);
      continue;
    }
    if (std::exchange(left, 0.0f) > 0.0f && momentum != nullptr) std::fill_n(momentum, row.n, 0.0f);
    std::size_t count = 0;
    bool decays = false;
    for (; now != missed.end() && count < updates.size() && !stirs(*now); ++now, ++count) {
      updates[count] = rest(*now);
      decays = decays || updates[count].decay != 0.0f;
    }
    const bool shrinks = v != nullptr && std::any_of(v, v + row.n, [](float x) { return x != 0.0f; });
    idle_updates(std::span(updates).first(count), decays ? row.p : nullptr, shrinks ? v : nullptr, row.n);
  }
}

}  // namespace temper::optim::detail
