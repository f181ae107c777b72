#pragma once

#include <string>

#include <temper/optim/optimizer.hpp>
#include <temper/optim/schedule.hpp>

namespace temper::optim {

struct PlotOptions {
  int width = 72;   ///< in characters; in an SVG in units of 10 pixels
  int height = 16;  ///< in lines; in an SVG in units of 20 pixels
};

/// A graph of a schedule over `total` updates, as text for a terminal. Columns show the range of values, so that no
/// peak is missed; of more than a million updates every n-th is evaluated.
std::string plot(const Schedule& schedule, Step total, const PlotOptions& options = {});
/// The same for an option of an optimizer, with a curve for each group whose schedule differs.
std::string plot(const Optimizer& optimizer, Step total, const std::string& option = "lr",
                 const PlotOptions& options = {});

/// CSV with a line "k,value" for each update; for an optimizer, a column for each group whose schedule differs.
std::string plot_csv(const Schedule& schedule, Step total);
std::string plot_csv(const Optimizer& optimizer, Step total, const std::string& option = "lr");

/// The graph as a self-contained SVG image.
std::string plot_svg(const Schedule& schedule, Step total, const PlotOptions& options = {});
std::string plot_svg(const Optimizer& optimizer, Step total, const std::string& option = "lr",
                     const PlotOptions& options = {});

}  // namespace temper::optim
