// JSON Schema as a grammar.
#pragma once

#include <string_view>

#include "xlstm/text/grammar/expr.h"
#include "xlstm/text/grammar/json_options.h"

namespace xlstm::text::grammar {

/// docs/constrained_output.md lists the keywords. Errors: invalid_argument, with the JSON pointer of the schema and the
/// keyword, for one that is not supported, a value of the wrong kind, a schema without any valid instance.
Grammar parse_json_schema(std::string_view source, const JsonOptions& options);

}  // namespace xlstm::text::grammar
