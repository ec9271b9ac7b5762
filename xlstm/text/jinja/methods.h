// Methods of str, dict, list and tuple.
#pragma once

#include <optional>
#include <string_view>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

using Method = Value (*)(Runtime& runtime, const Value& self, const Arguments& arguments);

/// Null when Python's type has none of this name, or one that the sandbox hides. Fails, by name, for a method that
/// Python has and this subset has not.
Method find_method(Runtime& runtime, const Value& object, std::string_view name);
/// What object.name is when it is no element: a bound method, or the undefined value of what the sandbox hides.
std::optional<Value> find_attribute(Runtime& runtime, const Value& object, std::string_view name);

/// Tables of the types, for find_method.
Method find_str_method(std::string_view name);

}  // namespace xlstm::text::jinja
