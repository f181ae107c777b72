#pragma once

#include <string_view>

#include <temper/optim/group.hpp>

namespace temper::optim::detail {

/// The parameters of the groups in which an option is anything but the number 0: those that need memory for it. Groups
/// without a setting of their own have the `usual` value. Empty when there are none.
Predicate where_not_zero(const Groups& groups, std::string_view option, const Schedule& usual);

}  // namespace temper::optim::detail
