#include "xlstm/text/grammar/compile.h"

#include <utility>

#include "xlstm/text/grammar/gbnf_parser.h"
#include "xlstm/text/grammar/json_pieces.h"
#include "xlstm/text/grammar/json_schema.h"
#include "xlstm/text/grammar/regex_parser.h"

namespace xlstm::text::grammar {

CompiledGrammar compile_gbnf(std::string_view source) { return std::make_shared<const Automaton>(parse_gbnf(source)); }

CompiledGrammar compile_regex(std::string_view pattern) {
  Grammar grammar;
  grammar.root = grammar.add("regex", parse_regex(pattern, RegexMatch::whole));
  return std::make_shared<const Automaton>(grammar);
}

CompiledGrammar compile_json(const JsonOptions& options) {
  JsonPieces json(options.whitespace);
  json.grammar().root = json.grammar().add("root", options.object_only ? json.object() : json.value());
  return std::make_shared<const Automaton>(json.grammar());
}

CompiledGrammar compile_json_schema(std::string_view schema, const JsonOptions& options) {
  return std::make_shared<const Automaton>(parse_json_schema(schema, options));
}

}  // namespace xlstm::text::grammar
