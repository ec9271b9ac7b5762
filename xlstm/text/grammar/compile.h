// From a user's notation to what the matcher runs.
#pragma once

#include <string_view>

#include "xlstm/text/grammar/automaton.h"
#include "xlstm/text/grammar/json_options.h"

namespace xlstm::text::grammar {

/// docs/constrained_output.md has the notations, what of JSON Schema is supported, and the limits. Whatever is not is
/// an error: invalid_argument, one line that says where in the source.
CompiledGrammar compile_gbnf(std::string_view source);
/// The whole text matches; ^ and $ at the ends may be written.
CompiledGrammar compile_regex(std::string_view pattern);
/// Any JSON object, or any value. RFC 8259, with numbers of at most 20 digits before and behind the point and exponents
/// of at most 2, strings without lone surrogates, blanks as JsonOptions says.
CompiledGrammar compile_json(const JsonOptions& options = {});
/// JSON that is valid by the schema, which is JSON itself. Properties come in the schema's order.
CompiledGrammar compile_json_schema(std::string_view schema, const JsonOptions& options = {});

}  // namespace xlstm::text::grammar
