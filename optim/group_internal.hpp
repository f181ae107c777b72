#pragma once

#include <string_view>

#include <temper/optim/group.hpp>

namespace temper::optim::detail {

/// Selects the parameters of groups in which an option is not the number 0, which need memory for it. Groups that do
/// not set the option have the `usual` value. An empty function when there are no such parameters.
Predicate where_not_zero(const Groups& groups, std::string_view option, const Schedule& usual);

}  // namespace temper::optim::detail
