#include "xlstm/text/grammar/number_range.h"

#include <charconv>
#include <utility>
#include <vector>

namespace xlstm::text::grammar {
namespace {

constexpr std::size_t kMaxDigits = 20;
constexpr std::size_t kMaxIntegerDigits = 18;  // fits int64

ExprPtr digits(char first, char last) { return chars({{static_cast<char32_t>(first), static_cast<char32_t>(last)}}); }
ExprPtr any_digits() { return repeat(digits('0', '9'), 0, kUnbounded); }
ExprPtr zeros() { return repeat(text("0"), 0, kUnbounded); }
ExprPtr some_digit_above_zero() { return sequence({zeros(), digits('1', '9'), any_digits()}); }
ExprPtr any_fraction() { return optional(sequence({text("."), digits('0', '9'), any_digits()})); }

ExprPtr unsigned_number(bool integers_only) {
  const std::uint32_t more = (integers_only ? kMaxIntegerDigits : kMaxDigits) - 1;
  ExprPtr integer = choice({text("0"), sequence({digits('1', '9'), repeat(digits('0', '9'), 0, more)})});
  if (integers_only) return integer;
  return sequence({integer, optional(sequence({text("."), repeat(digits('0', '9'), 1, kMaxDigits)}))});
}

// Texts that have `all`[0, j) in common with `all`, then a digit on the wanted side, then `rest` for what is left of
// its length; for every j.
std::vector<ExprPtr> diverging(const std::string& all, bool above, bool same_length, const ExprPtr& rest) {
  std::vector<ExprPtr> parts;
  for (std::size_t j = 0; j < all.size(); ++j) {
    const char digit = all[j];
    if (digit == (above ? '9' : '0')) continue;
    const auto left = static_cast<std::uint32_t>(all.size() - j - 1);
    parts.push_back(
        sequence({text(all.substr(0, j)),
                  above ? digits(static_cast<char>(digit + 1), '9') : digits('0', static_cast<char>(digit - 1)),
                  same_length ? repeat(digits('0', '9'), left, left) : any_digits(), rest}));
  }
  return parts;
}

// For numbers without sign; leading zeros are for unsigned_number() to rule out.
ExprPtr at_least(const NumberBound& bound) {
  const auto& [negative, integer, fraction] = bound.value;
  const auto length = static_cast<std::uint32_t>(integer.size());
  std::vector<ExprPtr> parts = diverging(integer, true, true, any_fraction());
  parts.push_back(sequence({repeat(digits('0', '9'), length + 1, kUnbounded), any_fraction()}));
  std::vector<ExprPtr> fractions;  // behind the same integer part
  if (fraction.empty()) {
    fractions.push_back(bound.exclusive ? sequence({text("."), some_digit_above_zero()}) : any_fraction());
  } else {
    fractions = diverging(fraction, true, false, text(""));
    fractions.push_back(sequence({text(fraction), bound.exclusive ? some_digit_above_zero() : any_digits()}));
    fractions = {sequence({text("."), choice(std::move(fractions))})};
  }
  parts.push_back(sequence({text(integer), choice(std::move(fractions))}));
  return choice(std::move(parts));
}

ExprPtr at_most(const NumberBound& bound) {
  const auto& [negative, integer, fraction] = bound.value;
  const auto length = static_cast<std::uint32_t>(integer.size());
  std::vector<ExprPtr> parts = diverging(integer, false, true, any_fraction());
  if (length > 1) parts.push_back(sequence({repeat(digits('0', '9'), 1, length - 1), any_fraction()}));
  std::vector<ExprPtr> fractions;  // behind the same integer part
  if (fraction.empty()) {
    if (!bound.exclusive) fractions.push_back(optional(sequence({text("."), text("0"), zeros()})));
  } else {
    fractions = diverging(fraction, false, false, text(""));
    for (std::size_t j = 1; j < fraction.size(); ++j) fractions.push_back(text(fraction.substr(0, j)));
    if (!bound.exclusive) fractions.push_back(sequence({text(fraction), zeros()}));
    fractions = {optional(sequence({text("."), choice(std::move(fractions))}))};
  }
  parts.push_back(sequence({text(integer), choice(std::move(fractions))}));
  return choice(std::move(parts));
}

NumberBound magnitude(NumberBound bound) {
  bound.value.negative = false;
  return bound;
}

}  // namespace

std::optional<Decimal> Decimal::parse(std::string_view number) {
  Decimal result;
  result.negative = number.starts_with('-');
  if (result.negative) number.remove_prefix(1);
  int exponent = 0;
  if (const std::size_t e = number.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view digits_of_e = number.substr(e + 1);
    if (digits_of_e.starts_with('+')) digits_of_e.remove_prefix(1);
    const auto read = std::from_chars(digits_of_e.data(), digits_of_e.data() + digits_of_e.size(), exponent);
    if (read.ec != std::errc() || exponent > 100 || exponent < -400) return std::nullopt;
    number = number.substr(0, e);
  }
  const std::size_t point = number.find('.');
  result.integer = std::string(number.substr(0, point));
  if (point != std::string_view::npos) result.fraction = std::string(number.substr(point + 1));
  for (; exponent > 0; --exponent) {
    result.integer += result.fraction.empty() ? '0' : result.fraction[0];
    if (!result.fraction.empty()) result.fraction.erase(0, 1);
  }
  for (; exponent < 0; ++exponent) {
    result.fraction.insert(0, 1, result.integer.empty() ? '0' : result.integer.back());
    if (!result.integer.empty()) result.integer.pop_back();
  }
  result.integer.erase(0, result.integer.find_first_not_of('0'));
  if (result.integer.empty()) result.integer.push_back('0');
  while (result.fraction.ends_with('0')) result.fraction.pop_back();
  if (result.integer.size() > kMaxDigits || result.fraction.size() > kMaxDigits) return std::nullopt;
  if (result.is_zero()) result.negative = false;
  return result;
}

ExprPtr number_range(const std::optional<NumberBound>& low, const std::optional<NumberBound>& high,
                     bool integers_only) {
  const ExprPtr any = unsigned_number(integers_only);
  std::vector<ExprPtr> signs;
  if (!high || !high->value.negative) {
    ExprPtr positive = any;
    if (low && !low->value.negative) positive = both(positive, at_least(*low));
    if (high) positive = both(positive, at_most(*high));
    signs.push_back(positive);
  }
  if (!low || low->value.negative) {
    ExprPtr negative = both(any, at_least({Decimal{}, true}));
    if (low) negative = both(negative, at_most(magnitude(*low)));
    if (high && high->value.negative) negative = both(negative, at_least(magnitude(*high)));
    signs.push_back(sequence({text("-"), negative}));
  }
  return choice(std::move(signs));
}

}  // namespace xlstm::text::grammar
