// Variables of a template, as JSON -> values.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

/// Ints stay ints and floats floats, keys keep their order. Fails for ints beyond 64 bits, strings that are not UTF-8
/// and nesting beyond kMaxValueDepth.
Value from_json(Runtime& runtime, const nlohmann::ordered_json& json);

}  // namespace xlstm::text::jinja
