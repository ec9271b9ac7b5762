#include <charconv>
#include <cmath>
#include <limits>

#include "xlstm/text/jinja/arguments.h"
#include "xlstm/text/jinja/filter_table.h"
#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/methods.h"
#include "xlstm/text/jinja/number_text.h"
#include "xlstm/text/jinja/operators.h"

namespace xlstm::text::jinja {
namespace {

Value absolute(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Bound(runtime, "abs", arguments, {});
  expect_defined(runtime, input);
  if (const double* number = std::get_if<double>(&input)) return std::abs(*number);
  const std::int64_t number = expect_int(runtime, input, "a number");
  return number < 0 ? negate(runtime, number) : Value(number);
}

Value attribute(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "attr", arguments, {"name"}, 1);
  const std::string& name = expect_text(runtime, *bound[0], "the name of an attribute");
  expect_defined(runtime, input);
  if (Object* object = as_object(input)) return object->attribute(runtime, name);
  if (const auto found = find_attribute(runtime, input, name)) return *found;
  return runtime.undefined("'", type_name(input), " object' has no attribute '", name.substr(0, 100), "'");
}

Value default_value(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "default", arguments, {"default_value", "boolean"});
  const bool is_missing = is_undefined(input) || (bound.truth(1) && !truth(input));
  return is_missing ? bound.get(0, runtime.text("")) : input;
}

Value to_int(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "int", arguments, {"default", "base"});
  const Value otherwise = bound.get(0, std::int64_t{0});
  expect_defined(runtime, input);
  if (const auto number = as_int(input)) return *number;
  if (const double* number = std::get_if<double>(&input)) {
    const auto whole = truncate_float(runtime, *number);
    return whole ? Value(*whole) : otherwise;
  }
  const Text* text = as_text(input);
  if (text == nullptr) return otherwise;
  if (const auto number = parse_int(runtime, text->utf8, bound.integer(1, 10))) return *number;
  const auto number = parse_float(runtime, text->utf8);
  if (!number || std::isinf(*number)) return otherwise;
  const auto whole = truncate_float(runtime, *number);
  return whole ? Value(*whole) : otherwise;
}

Value to_float(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "float", arguments, {"default"});
  expect_defined(runtime, input);
  if (is<double>(input)) return input;
  if (const auto number = as_int(input)) return static_cast<double>(*number);
  if (const Text* text = as_text(input)) {
    if (const auto number = parse_float(runtime, text->utf8)) return *number;
  }
  return bound.get(0, 0.0);
}

// Half to even of the exact value, as Python rounds.
double round_to(double value, int precision) {
  if (!std::isfinite(value) || precision > 323) return value;
  char buffer[700];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed, precision).ptr;
  double rounded = 0;
  std::from_chars(buffer, end, rounded);
  return rounded;
}

Value round(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "round", arguments, {"precision", "method"});
  const std::int64_t precision = bound.integer(0, 0);
  const std::string method = bound.text(1, "common");
  if (method != "common" && method != "ceil" && method != "floor") {
    runtime.fail("expected \"common\", \"ceil\" or \"floor\" to round by but got \"", method, '"');
  }
  expect_defined(runtime, input);
  if (!is_number(input)) runtime.fail("expected a number to round but got ", type_name(input));
  if (precision < 0 || precision > 400) runtime.fail("expected 0 to 400 digits to round to but got ", precision);
  const auto whole = as_int(input);
  if (method == "common") {
    return whole ? Value(*whole) : Value(round_to(std::get<double>(input), static_cast<int>(precision)));
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = (whole ? static_cast<double>(*whole) : std::get<double>(input)) * scale;
  if (!std::isfinite(scaled)) runtime.fail("expected a finite number to round but got ", float_text(scaled));
  // Python goes through an int, which has no negative zero.
  return ((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) + 0.0) / scale;
}

// As transformers defines it: json.dumps, with no care for HTML.
Value tojson(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Bound bound(runtime, "tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = bound.truth(0);
  style.indented = bound.has(1);
  if (style.indented) {
    style.item_separator.pop_back();  // no blank at the end of a line
    if (const Text* text = as_text(*bound[1])) {
      style.indent = text->utf8;
    } else {
      const std::int64_t width = std::max<std::int64_t>(bound.integer(1, 0), 0);
      runtime.reserve(static_cast<std::size_t>(width));
      style.indent.assign(static_cast<std::size_t>(width), ' ');
    }
  }
  if (bound.has(2)) {
    const std::vector<Value> separators = items_of(runtime, *bound[2]);
    if (separators.size() != 2) runtime.fail("expected two separators but got ", separators.size());
    style.item_separator = expect_text(runtime, separators[0], "a str as a separator");
    style.key_separator = expect_text(runtime, separators[1], "a str as a separator");
  }
  style.sort_keys = bound.truth(3);
  return runtime.text(to_json(runtime, input, style));
}

constexpr FilterEntry kFilters[] = {
    {"abs", absolute},   {"attr", attribute}, {"d", default_value}, {"default", default_value},
    {"float", to_float}, {"int", to_int},     {"round", round},     {"tojson", tojson},
};

}  // namespace

FilterFunction find_value_filter(std::string_view name) { return find_filter(kFilters, name); }

}  // namespace xlstm::text::jinja
