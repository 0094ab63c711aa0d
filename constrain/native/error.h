// The three errors that the core throws; bindings.cc maps each, once, to a Python class.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace constrain {

// A limit was met: fuel, memory, width, a repeat count.
struct LimitError : std::runtime_error {
  LimitError(std::string name, uint64_t given_value, uint64_t allowed_value)
      : std::runtime_error(name), limit(std::move(name)), given(given_value), allowed(allowed_value) {}
  std::string limit;
  uint64_t given, allowed;
};

// The expression itself is wrong: an undefined rule, left recursion, an id of another set.
struct ExpressionError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// No text satisfies the expression (with this vocabulary).
struct EmptyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace constrain
