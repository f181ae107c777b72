#pragma once

#include <string_view>

// The one place that knows about the terminal: a bar is drawn on standard error, so that standard output can be piped.

namespace temper::terminal {

/// Whether standard error is a terminal where a bar can be redrawn: not one that says it is dumb.
bool interactive();

/// Columns of that terminal now: its window may change.
int columns();

/// Replaces the bar's line. Only when interactive.
void draw_bar(std::string_view line);

/// Removes the bar's line, so that something else can be printed.
void clear_bar();

/// Writes a plain line to standard error.
void write_line(std::string_view line);

}  // namespace temper::terminal
