#include "xlstm/text/grammar/json_pieces.h"

#include <utility>

#include "xlstm/text/grammar/regex_parser.h"

namespace xlstm::text::grammar {
namespace {

ExprPtr regex(std::string_view pattern) { return parse_regex(pattern, RegexMatch::whole); }

// What a string holds as it is.
CodePointSet unescaped() { return CodePointSet{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}.complement(); }

ExprPtr spelled(const CodePointSet& set) {
  struct Escape {
    char32_t code;
    const char* spelling;
  };
  constexpr Escape kShort[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\b', "\\b"}, {'\f', "\\f"},
                               {'\n', "\\n"}, {'\r', "\\r"},  {'\t', "\\t"}};
  std::vector<ExprPtr> parts;
  if (const CodePointSet plain = set.intersection(unescaped()); !plain.empty()) parts.push_back(chars(plain));
  CodePointSet controls = set.intersection({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});
  for (const Escape& escape : kShort) {
    if (set.intersection(CodePointSet::of(escape.code)).empty()) continue;
    parts.push_back(text(escape.spelling));
    controls = controls.intersection(CodePointSet::of(escape.code).complement());
  }
  for (const CodePointRange range : controls.ranges()) {
    for (char32_t code = range.first; code <= range.last; ++code) {
      parts.push_back(text(std::string("\\u00") + (code < 0x10 ? '0' : '1') + "0123456789abcdef"[code & 0xF]));
    }
  }
  return choice(std::move(parts));
}

}  // namespace

JsonPieces::JsonPieces(Whitespace whitespace) {
  space_ = text("");
  if (whitespace == Whitespace::flexible) {
    space_ = call(grammar_.add("space", regex(R"(|\x20|(\r?\n){1,2}[ \t]{0,20})")));
  }
  // Everything but ASCII in a rule of its own: a counted string then has one state for each character.
  const ExprPtr rare =
      call(grammar_.add("escape or multi-byte character",
                        choice({chars(unescaped().intersection({{0x80, kMaxCodePoint}})),
                                regex(R"(\\(["\\/bfnrt]|u([0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}))"
                                      R"(|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))")})));
  string_char_ = choice({chars(unescaped().intersection({{0, 0x7F}})), rare});
  string_ = call(grammar_.add("string", sequence({text("\""), repeat(string_char_, 0, kUnbounded), text("\"")})));
  number_ = call(grammar_.add("number", regex(R"(-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?)")));
  integer_ = call(grammar_.add("integer", regex("-?(0|[1-9][0-9]{0,17})")));

  const RuleId value = grammar_.add("value");
  value_ = call(value);
  object_ = call(grammar_.add("object", brackets("{", list(member(string_, value_)), true, "}")));
  array_ = call(grammar_.add("array", brackets("[", list(value_), true, "]")));
  grammar_.rules[value].body = choice({object_, array_, string_, number_, text("true"), text("false"), text("null")});
}

ExprPtr JsonPieces::brackets(std::string_view open, ExprPtr members, bool may_be_empty, std::string_view close) const {
  ExprPtr inner = sequence({std::move(members), space_});
  if (may_be_empty) inner = optional(std::move(inner));
  return sequence({text(std::string(open)), space_, std::move(inner), text(std::string(close))});
}

ExprPtr JsonPieces::comma() const { return sequence({space_, text(","), space_}); }

ExprPtr JsonPieces::member(ExprPtr key, ExprPtr value) const {
  return sequence({std::move(key), space_, text(":"), space_, std::move(value)});
}

ExprPtr JsonPieces::list(const ExprPtr& item) const {
  return sequence({item, repeat(sequence({comma(), item}), 0, kUnbounded)});
}

ExprPtr spelled_in_json(const ExprPtr& expr) {
  if (expr->kind == Expr::Kind::chars) return spelled(expr->set);
  Expr copy = *expr;
  for (ExprPtr& part : copy.parts) part = spelled_in_json(part);
  return std::make_shared<const Expr>(std::move(copy));
}

}  // namespace xlstm::text::grammar
