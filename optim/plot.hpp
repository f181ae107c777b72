#pragma once

#include <string>

#include <temper/optim/optimizer.hpp>
#include <temper/optim/schedule.hpp>

namespace temper::optim {

struct PlotOptions {
  int width = 72;   ///< characters, or units of 10 pixels
  int height = 16;  ///< lines, or units of 20 pixels
};

/// A graph of a schedule over `total` updates, for a terminal; no column hides a peak. Of more than a million updates
/// every n-th is looked at.
std::string plot(const Schedule& schedule, Step total, const PlotOptions& options = {});
/// The same of an optimizer's option, a curve for each group that differs.
std::string plot(const Optimizer& optimizer, Step total, const std::string& option = "lr",
                 const PlotOptions& options = {});

/// A line "k,value" for each update; of an optimizer, "k" and a column for each group that differs.
std::string plot_csv(const Schedule& schedule, Step total);
std::string plot_csv(const Optimizer& optimizer, Step total, const std::string& option = "lr");

/// A picture that needs nothing else.
std::string plot_svg(const Schedule& schedule, Step total, const PlotOptions& options = {});
std::string plot_svg(const Optimizer& optimizer, Step total, const std::string& option = "lr",
                     const PlotOptions& options = {});

}  // namespace temper::optim
