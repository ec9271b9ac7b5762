// Decimal numbers between bounds.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "xlstm/text/grammar/expr.h"

namespace xlstm::text::grammar {

/// sign * integer.fraction, exactly.
struct Decimal {
  bool negative = false;
  std::string integer = "0";  // no leading zero but of "0"
  std::string fraction;       // no trailing zero

  bool is_zero() const noexcept { return integer == "0" && fraction.empty(); }
  /// Of a JSON number ("-12.50", "1e3"); nothing if it has more than 20 digits before or behind the point.
  static std::optional<Decimal> parse(std::string_view number);
};

struct NumberBound {
  Decimal value;
  bool exclusive = false;
};

/// Numbers from `low` to `high`, without a bound where there is none: integers of at most 18 digits, or at most 20
/// digits before and behind the point; no exponent, no "-0".
ExprPtr number_range(const std::optional<NumberBound>& low, const std::optional<NumberBound>& high, bool integers_only);

}  // namespace xlstm::text::grammar
