// What bounds a render.
#pragma once

#include <cstddef>

namespace xlstm::text::jinja {

/// Bounds of a template and of one render; going over one is an error that names it.
struct Limits {
  std::size_t source_bytes = std::size_t{1} << 20;
  std::size_t output_bytes = std::size_t{64} << 20;
  /// Strings and containers alive at one time, the variables among them.
  std::size_t memory_bytes = std::size_t{256} << 20;
  /// Expressions and statements evaluated; work on long strings and lists counts as well, a step for 64 bytes.
  std::size_t steps = 20'000'000;
  /// Nested evaluations: expressions in expressions, statements in statements, macros in macros.
  int depth = 400;
};

/// Fixed, since they bound the stack: nesting in the source of a template, and of containers in a value.
inline constexpr int kMaxSourceDepth = 100;
inline constexpr int kMaxValueDepth = 100;
/// As in Jinja's sandbox.
inline constexpr std::size_t kMaxRange = 100'000;

}  // namespace xlstm::text::jinja
