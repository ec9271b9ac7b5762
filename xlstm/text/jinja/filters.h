// Jinja's filters.
#pragma once

#include <string>
#include <string_view>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

using FilterFunction = Value (*)(Runtime& runtime, const Value& input, const Arguments& arguments);

bool is_filter(const std::string& name);
/// What is wrong with a name that is none.
std::string unknown_filter(const std::string& name);
/// Fails for an unknown name.
Value apply_filter(Runtime& runtime, const std::string& name, const Value& input, const Arguments& arguments);

/// Tables of filters by what they work on; null for a name that is not in it.
FilterFunction find_string_filter(std::string_view name);
FilterFunction find_sequence_filter(std::string_view name);
FilterFunction find_selection_filter(std::string_view name);
FilterFunction find_value_filter(std::string_view name);

}  // namespace xlstm::text::jinja
