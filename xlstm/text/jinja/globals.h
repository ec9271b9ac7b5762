// Functions that every template can call: range, dict, namespace, cycler, joiner, raise_exception, strftime_now.
#pragma once

#include <optional>
#include <string_view>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

/// Nothing for a name that is none; fails, by name, for what Jinja has and this subset has not.
std::optional<Value> find_global(Runtime& runtime, std::string_view name);

}  // namespace xlstm::text::jinja
