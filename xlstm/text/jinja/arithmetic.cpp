#include <cmath>
#include <limits>

#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/operators.h"

namespace xlstm::text::jinja {
namespace {

constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "//", "%", "**"};

[[noreturn]] void fail_operands(Runtime& runtime, BinaryOperator op, const Value& left, const Value& right) {
  expect_defined(runtime, left);
  expect_defined(runtime, right);
  runtime.fail("expected operands that ", kSymbols[static_cast<int>(op)], " can take but got ", type_name(left),
               " and ", type_name(right));
}

double to_double(const Value& value) {
  const double* number = std::get_if<double>(&value);
  return number != nullptr ? *number : static_cast<double>(*as_int(value));
}

std::int64_t power(Runtime& runtime, std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  bool overflow = false;
  while (exponent > 0 && !overflow) {
    if ((exponent & 1) != 0) overflow = __builtin_mul_overflow(result, base, &result);
    exponent >>= 1;
    // The last square is not needed and may be too large.
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) overflow = true;
  }
  if (overflow) runtime.fail("expected an int of 64 bits but got a larger power");
  return result;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

double float_modulo(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

double float_floor_divide(double a, double b) {
  const double rest = std::fmod(a, b);
  const double quotient = (a - rest) / b - (rest != 0 && (rest < 0) != (b < 0) ? 1 : 0);
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

Value int_arithmetic(Runtime& runtime, BinaryOperator op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case BinaryOperator::add:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case BinaryOperator::subtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case BinaryOperator::multiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case BinaryOperator::power:
      if (b >= 0) return power(runtime, a, b);
      if (a == 0) runtime.fail("expected a power of 0 that is not negative but got ", b);
      return std::pow(static_cast<double>(a), static_cast<double>(b));
    default:
      if (b == 0) runtime.fail("expected a divisor other than 0 but got 0");
      if (op == BinaryOperator::modulo) return b == -1 ? 0 : a - floor_divide(a, b) * b;
      overflow = a == std::numeric_limits<std::int64_t>::min() && b == -1;
      if (!overflow) result = floor_divide(a, b);
  }
  if (overflow) runtime.fail("expected an int of 64 bits but got a larger result of ", kSymbols[static_cast<int>(op)]);
  return result;
}

// Rounded once, as Python does: a double holds 53 bits of an int exactly.
Value int_true_divide(Runtime& runtime, std::int64_t a, std::int64_t b) {
  if (b == 0) runtime.fail("expected a divisor other than 0 but got 0");
  const auto quotient = static_cast<long double>(a) / static_cast<long double>(b);
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  const bool exact = a >= -kExact && a <= kExact && b >= -kExact && b <= kExact;
  return exact ? static_cast<double>(a) / static_cast<double>(b) : static_cast<double>(quotient);
}

Value float_arithmetic(Runtime& runtime, BinaryOperator op, double a, double b) {
  switch (op) {
    case BinaryOperator::add:
      return a + b;
    case BinaryOperator::subtract:
      return a - b;
    case BinaryOperator::multiply:
      return a * b;
    case BinaryOperator::power: {
      if (a == 0 && b < 0) runtime.fail("expected a power of 0 that is not negative but got ", float_text(b));
      if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
        runtime.fail("expected a whole power of a negative number but got ", float_text(b));
      }
      const double result = std::pow(a, b);
      if (std::isinf(result) && std::isfinite(a) && std::isfinite(b))
        runtime.fail("expected a float but got a larger power");
      return result;
    }
    default:
      if (b == 0) runtime.fail("expected a divisor other than 0 but got ", float_text(b));
      if (op == BinaryOperator::divide) return a / b;
      return op == BinaryOperator::modulo ? float_modulo(a, b) : float_floor_divide(a, b);
  }
}

Value repeat(Runtime& runtime, const Value& value, std::int64_t count) {
  const std::size_t times = count < 0 ? 0 : static_cast<std::size_t>(count);
  if (const Text* text = as_text(value)) {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(text->utf8.size(), times, &bytes)) bytes = std::numeric_limits<std::size_t>::max();
    runtime.reserve(bytes);
    std::string result;
    result.reserve(bytes);
    for (std::size_t i = 0; i < times && !text->utf8.empty(); ++i) result += text->utf8;
    return runtime.text(std::move(result));
  }
  const Sequence& sequence = *as_sequence(value);
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(sequence.items.size() * sizeof(Value), times, &bytes)) {
    bytes = std::numeric_limits<std::size_t>::max();
  }
  runtime.reserve(bytes);
  std::vector<Value> items;
  for (std::size_t i = 0; i < times && !sequence.items.empty(); ++i) {
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return runtime.sequence(sequence.kind, std::move(items));
}

bool is_repeatable(const Value& value) {
  return as_text(value) != nullptr || as_sequence(value, SequenceKind::list) != nullptr ||
         as_sequence(value, SequenceKind::tuple) != nullptr;
}

Value add_sequences(Runtime& runtime, const Value& left, const Value& right) {
  if (as_text(left) != nullptr && as_text(right) != nullptr) {
    runtime.reserve(as_text(left)->utf8.size() + as_text(right)->utf8.size());
    return runtime.text(as_text(left)->utf8 + as_text(right)->utf8);
  }
  const Sequence* a = as_sequence(left);
  const Sequence* b = as_sequence(right);
  const bool fits = a != nullptr && b != nullptr && a->kind == b->kind &&
                    (a->kind == SequenceKind::list || a->kind == SequenceKind::tuple);
  if (!fits) fail_operands(runtime, BinaryOperator::add, left, right);
  runtime.reserve((a->items.size() + b->items.size()) * sizeof(Value));
  std::vector<Value> items = a->items;
  items.insert(items.end(), b->items.begin(), b->items.end());
  return runtime.sequence(a->kind, std::move(items));
}

}  // namespace

Value binary(Runtime& runtime, BinaryOperator op, const Value& left, const Value& right) {
  if (is_number(left) && is_number(right)) {
    const auto a = as_int(left);
    const auto b = as_int(right);
    if (!a || !b) return float_arithmetic(runtime, op, to_double(left), to_double(right));
    return op == BinaryOperator::divide ? int_true_divide(runtime, *a, *b) : int_arithmetic(runtime, op, *a, *b);
  }
  if (op == BinaryOperator::add) return add_sequences(runtime, left, right);
  if (op == BinaryOperator::multiply && is_repeatable(left) && as_int(right))
    return repeat(runtime, left, *as_int(right));
  if (op == BinaryOperator::multiply && is_repeatable(right) && as_int(left))
    return repeat(runtime, right, *as_int(left));
  if (op == BinaryOperator::modulo && as_text(left) != nullptr) {
    return percent_format(runtime, as_text(left)->utf8, right);
  }
  fail_operands(runtime, op, left, right);
}

Value negate(Runtime& runtime, const Value& value) {
  if (const double* number = std::get_if<double>(&value)) return -*number;
  expect_defined(runtime, value);
  const std::int64_t number = expect_int(runtime, value, "a number behind -");
  if (number == std::numeric_limits<std::int64_t>::min())
    runtime.fail("expected an int of 64 bits but got a larger one");
  return -number;
}

Value plus(Runtime& runtime, const Value& value) {
  if (is<double>(value)) return value;
  expect_defined(runtime, value);
  return expect_int(runtime, value, "a number behind +");
}

}  // namespace xlstm::text::jinja
