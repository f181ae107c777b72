#pragma once

#include <stdexcept>

namespace temper {

/// Base of every exception this library throws. The text says what was got and what was expected, and it is
/// thrown before any state changes.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Shapes or element types that do not fit the operation.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// An argument outside its range: a label past the classes, a dropout probability of 2, a bad option.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// A tape used wrongly: backward twice, on a non-scalar, after a saved tensor changed.
class TapeError : public Error {
 public:
  using Error::Error;
};

/// The system has no more memory. The text says how much was wanted, and for which tensor if it was for one.
class OutOfMemoryError : public Error {
 public:
  using Error::Error;
};

/// A file that is missing, damaged, or does not hold what was asked for.
class FileError : public Error {
 public:
  using Error::Error;
};

}  // namespace temper
