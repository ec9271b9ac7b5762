#include "apps/cli/constraint_flags.h"

#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"

namespace xlstm::cli {
namespace {

using Kind = engine::Constraint::Kind;

/// A schema is an object or a boolean; anything else names a file.
bool is_schema(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return text == "true" || text == "false" || (first != text.npos && text[first] == '{');
}

}  // namespace

void add_constraint_flags(CLI::App& verb, ConstraintFlags& flags) {
  CLI::Option* const options[] = {
      verb.add_option("--grammar", flags.grammar, "The text matches this GBNF grammar")
          ->type_name("FILE.gbnf")
          ->check(not_empty("a name")),
      verb.add_option("--regex", flags.regex, "The text matches this regular expression from end to end")
          ->type_name("PATTERN")
          ->check(not_empty("a pattern")),
      verb.add_option("--json-schema", flags.json_schema, "The text is JSON that is valid by this schema")
          ->type_name("FILE|SCHEMA")
          ->check(not_empty("a schema or the name of its file")),
      verb.add_flag("--json-object", flags.json_object, "The text is a JSON object"),
  };
  for (CLI::Option* option : options) {
    option->group("Constraint");
    for (CLI::Option* other : options) {
      if (other != option) option->excludes(other);
    }
  }
}

std::optional<engine::Constraint> read_constraint(const ConstraintFlags& flags) {
  if (!flags.grammar.empty()) return engine::Constraint{Kind::gbnf, read_text(flags.grammar)};
  if (flags.regex) return engine::Constraint{Kind::regex, *flags.regex};
  if (flags.json_schema) {
    return engine::Constraint{Kind::json_schema,
                              is_schema(*flags.json_schema) ? *flags.json_schema : read_text(*flags.json_schema)};
  }
  if (flags.json_object) return engine::Constraint{Kind::json_object, ""};
  return std::nullopt;
}

}  // namespace xlstm::cli
