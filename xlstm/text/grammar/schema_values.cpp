#include <algorithm>

#include "xlstm/text/grammar/limits.h"
#include "xlstm/text/grammar/regex_parser.h"
#include "xlstm/text/grammar/schema_compiler.h"
#include "xlstm/text/grammar/string_format.h"

namespace xlstm::text::grammar {

ExprPtr SchemaCompiler::compile_string(const Json& schema, const std::string& pointer) {
  const ExprPtr quote = text("\"");
  if (schema.contains("pattern") || schema.contains("format")) {
    return sequence({quote, string_content(schema, pointer), quote});
  }
  if (!schema.contains("minLength") && !schema.contains("maxLength")) return json_.string();
  const std::uint32_t min = count_of(schema, "minLength", 0, pointer);
  const std::uint32_t max = count_of(schema, "maxLength", kUnbounded, pointer);
  if (max < min) fail_schema(pointer, "expected minLength to be at most maxLength");
  return sequence({quote, repeat(json_.string_char(), min, max), quote});
}

ExprPtr SchemaCompiler::string_content(const Json& schema, const std::string& pointer) const {
  ExprPtr content;
  const auto restrict = [&](const ExprPtr& to) { content = content ? both(content, to) : to; };
  if (const auto pattern = schema.find("pattern"); pattern != schema.end()) {
    if (!pattern->is_string()) fail_schema(pointer, "expected pattern to be a string");
    const std::string context = "json schema at " + in_quotes(child_pointer(pointer, "pattern")) + ": ";
    restrict(parse_regex(pattern->get<std::string>(), RegexMatch::anywhere, context));
  }
  if (const auto format = schema.find("format"); format != schema.end()) {
    const std::string name = format->is_string() ? format->get<std::string>() : "";
    const std::string_view regex = format_pattern(name);
    if (regex.empty())
      fail_schema(pointer, "expected format to be one of ", known_formats(), " but got ", in_quotes(name));
    restrict(parse_regex(regex, RegexMatch::whole));
  }
  if (schema.contains("minLength") || schema.contains("maxLength")) {
    const std::uint32_t min = count_of(schema, "minLength", 0, pointer);
    const std::uint32_t max = count_of(schema, "maxLength", kUnbounded, pointer);
    if (max < min) fail_schema(pointer, "expected minLength to be at most maxLength");
    restrict(repeat(chars(CodePointSet::all()), min, max));
  }
  // Lengths and patterns speak of characters, so they are joined before characters get their JSON spelling.
  return content ? spelled_in_json(content) : nullptr;
}

std::optional<NumberBound> SchemaCompiler::bound(const Json& schema, bool is_low, const std::string& pointer) const {
  std::optional<NumberBound> tightest;
  for (const bool exclusive : {false, true}) {
    const char* keyword = is_low      ? (exclusive ? "exclusiveMinimum" : "minimum")
                          : exclusive ? "exclusiveMaximum"
                                      : "maximum";
    const auto value = schema.find(keyword);
    if (value == schema.end()) continue;
    if (!value->is_number()) fail_schema(pointer, "expected ", keyword, " to be a number");
    const auto decimal = Decimal::parse(value->dump());
    if (!decimal) fail_schema(pointer, "expected ", keyword, " to have at most 20 digits before and behind the point");
    // Where both are given the exclusive one wins unless the other is tighter.
    if (tightest) {
      const Json& inclusive = schema[is_low ? "minimum" : "maximum"];
      if (is_low ? *value < inclusive : inclusive < *value) continue;
    }
    tightest = NumberBound{*decimal, exclusive};
  }
  return tightest;
}

ExprPtr SchemaCompiler::compile_number(const Json& schema, bool integers_only, const std::string& pointer) const {
  const auto low = bound(schema, true, pointer);
  const auto high = bound(schema, false, pointer);
  if (!low && !high) return integers_only ? json_.integer() : json_.number();
  return number_range(low, high, integers_only);
}

ExprPtr SchemaCompiler::compile_array(const Json& schema, const std::string& pointer) {
  if (schema.value("uniqueItems", Json(false)) != Json(false)) fail_schema(pointer, "uniqueItems is not supported");
  // Before draft 2020-12 `items` could be the list that is prefixItems now, and additionalItems what items is now.
  const bool old_form = schema.contains("items") && schema["items"].is_array();
  if (old_form && schema.contains("prefixItems"))
    fail_schema(pointer, "expected items to be a schema beside prefixItems");
  const char* prefix_keyword = old_form ? "items" : "prefixItems";
  const char* rest_keyword = old_form ? "additionalItems" : "items";
  std::vector<ExprPtr> prefix;
  if (schema.contains(prefix_keyword)) {
    const std::string list = child_pointer(pointer, prefix_keyword);
    if (!schema[prefix_keyword].is_array()) fail_schema(list, "expected a list of schemas");
    if (schema[prefix_keyword].size() > kMaxMembers) fail_schema(list, "expected at most ", kMaxMembers, " schemas");
    for (const Json& item : schema[prefix_keyword]) {
      prefix.push_back(compile(item, child_pointer(list, std::to_string(prefix.size()))));
    }
  }
  const std::uint32_t min = count_of(schema, "minItems", 0, pointer);
  std::uint32_t max = count_of(schema, "maxItems", kUnbounded, pointer);
  ExprPtr rest = json_.value();
  if (const auto items = schema.find(rest_keyword); items != schema.end()) {
    rest = compile(*items, child_pointer(pointer, rest_keyword));
    if (*items == Json(false)) max = std::min(max, static_cast<std::uint32_t>(prefix.size()));
  }
  if (max < min) fail_schema(pointer, "expected minItems to be at most the number of items that may be there");
  if (max == 0) return json_.brackets("[", choice({}), true, "]");

  const auto item = [&](std::size_t i) { return i < prefix.size() ? prefix[i] : rest; };
  const auto count = static_cast<std::uint32_t>(std::clamp<std::size_t>(prefix.size(), 1, max));  // one after the other
  const ExprPtr another = sequence({json_.comma(), rest});
  ExprPtr tail = repeat(another, min > count ? min - count : 0, max == kUnbounded ? kUnbounded : max - count);
  for (std::uint32_t i = count; i-- > 1;) {
    tail = sequence({json_.comma(), item(i), tail});
    if (i >= min) tail = optional(tail);
  }
  return in_a_rule(pointer, json_.brackets("[", sequence({item(0), tail}), min == 0, "]"));
}

}  // namespace xlstm::text::grammar
