// Values as text: str(), repr(), JSON, and Python's two ways to fill in a pattern.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

/// Python's repr of a float: the shortest digits that give it back.
std::string float_text(double value);
/// str(). Fails for what Python shows with an address (a generator, a function).
std::string to_text(Runtime& runtime, const Value& value);
/// repr()
std::string to_repr(Runtime& runtime, const Value& value);

/// What json.dumps can be asked for.
struct JsonStyle {
  bool ensure_ascii = false;
  bool indented = false;
  std::string indent;  // of one level
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};
/// json.dumps. Fails for what JSON has not.
std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style);

/// pattern % arguments (a tuple, or one argument), with %s %r %d %i %f %x %X %% and flags, width, precision; other
/// conversions fail by name.
Value percent_format(Runtime& runtime, std::string_view pattern, const Value& arguments);
/// pattern.format(...), with {} {0} {name}; attributes, conversions and format specifications fail by name.
Value brace_format(Runtime& runtime, std::string_view pattern, const Arguments& arguments);

}  // namespace xlstm::text::jinja
