#pragma once

#include <string_view>

// All access to the terminal. The bar is drawn on standard error, so that standard output can be piped.

namespace temper::terminal {

/// Whether standard error is a terminal on which a bar can be redrawn: not with TERM=dumb.
bool interactive();

/// The terminal's current number of columns.
int columns();

/// Replaces the bar's line. Only when interactive.
void draw_bar(std::string_view line);

/// Removes the bar's line, so that something else can be printed.
void clear_bar();

/// Writes a plain line to standard error.
void write_line(std::string_view line);

}  // namespace temper::terminal
