#pragma once

// The one place of the version: CMake, packages and the documentation read it here. Macros, so that a program can choose
// by #if.

/// Major version of the headers that a program is compiled with.
#define TEMPER_VERSION_MAJOR 0
/// Minor version of the headers.
#define TEMPER_VERSION_MINOR 1
/// Patch version of the headers.
#define TEMPER_VERSION_PATCH 0
/// The version as one number, 10000 * major + 100 * minor + patch: `#if TEMPER_VERSION >= 200`. version() is the
/// library's.
#define TEMPER_VERSION (10000 * TEMPER_VERSION_MAJOR + 100 * TEMPER_VERSION_MINOR + TEMPER_VERSION_PATCH)
