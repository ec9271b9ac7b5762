#include <algorithm>

#include "xlstm/text/grammar/automaton.h"
#include "xlstm/text/grammar/limits.h"
#include "xlstm/text/grammar/regex_parser.h"
#include "xlstm/text/grammar/schema_compiler.h"

namespace xlstm::text::grammar {
namespace {

// REQUIRES: `regex` names no rule.
bool matches(const ExprPtr& regex, std::string_view name) {
  Grammar grammar;
  grammar.root = grammar.add("pattern", choice({regex, text("")}));  // so that it matches something
  const Automaton automaton(grammar);
  std::uint32_t state = automaton.start();
  for (const char byte : name) {
    state = automaton.next(state, static_cast<std::uint8_t>(byte));
    if (state == kNoState) return false;
  }
  return !name.empty() && automaton.ends(state);
}

ExprPtr key_of(const std::string& name) { return text(Json(name).dump()); }

ExprPtr quoted_string(ExprPtr content) { return sequence({text("\""), std::move(content), text("\"")}); }

}  // namespace

ExprPtr SchemaCompiler::compile_object(const Json& schema, const std::string& pointer) {
  std::vector<Property> named = named_properties(schema, pointer);
  add_required(schema, named, pointer);
  Extra extra = extra_properties(schema, named, pointer);
  count_properties(schema, named, extra, pointer);
  const bool may_be_empty =
      extra.min == 0 && std::none_of(named.begin(), named.end(), [](const Property& p) { return p.required; });
  return in_a_rule(pointer, json_.brackets("{", members(named, extra), may_be_empty, "}"));
}

std::vector<SchemaCompiler::Property> SchemaCompiler::named_properties(const Json& schema, const std::string& pointer) {
  std::vector<Property> named;
  const auto properties = schema.find("properties");
  if (properties == schema.end()) return named;
  const std::string list = child_pointer(pointer, "properties");
  if (!properties->is_object()) fail_schema(list, "expected an object of schemas");
  if (properties->size() > kMaxMembers) fail_schema(list, "expected at most ", kMaxMembers, " properties");
  for (const auto& [name, value] : properties->items()) {
    named.push_back({name, json_.member(key_of(name), compile(value, child_pointer(list, name))), false});
  }
  return named;
}

// A required name without a schema of its own is one of the additional properties that has to be there.
void SchemaCompiler::add_required(const Json& schema, std::vector<Property>& named, const std::string& pointer) {
  const auto required = schema.find("required");
  if (required == schema.end()) return;
  const std::string list = child_pointer(pointer, "required");
  const auto is_name = [](const Json& name) { return name.is_string(); };
  if (!required->is_array() || !std::all_of(required->begin(), required->end(), is_name)) {
    fail_schema(list, "expected a list of names");
  }
  if (required->size() > kMaxMembers) fail_schema(list, "expected at most ", kMaxMembers, " names");
  ExprPtr value;
  for (const Json& entry : *required) {
    const auto name = entry.get<std::string>();
    const auto known = std::find_if(named.begin(), named.end(), [&](const Property& p) { return p.name == name; });
    if (known != named.end()) {
      known->required = true;
      continue;
    }
    if (schema.contains("patternProperties")) {
      fail_schema(list, "a name without a schema in properties, ", in_quotes(name),
                  ", is not supported beside patternProperties");
    }
    if (!value) value = additional_value(schema, pointer);
    if (!value)
      fail_schema(list, "expected ", in_quotes(name), " to be one of the properties, since no others are allowed");
    named.push_back({name, json_.member(key_of(name), value), true});
  }
}

// Null if there may be no additional properties.
ExprPtr SchemaCompiler::additional_value(const Json& schema, const std::string& pointer) {
  const auto additional = schema.find("additionalProperties");
  if (additional == schema.end()) {
    const bool closed =
        options_.closed_objects && (schema.contains("properties") || schema.contains("patternProperties"));
    return closed ? nullptr : json_.value();
  }
  if (*additional == Json(false)) return nullptr;
  return compile(*additional, child_pointer(pointer, "additionalProperties"));
}

SchemaCompiler::Extra SchemaCompiler::extra_properties(const Json& schema, const std::vector<Property>& named,
                                                       const std::string& pointer) {
  std::vector<ExprPtr> kinds;
  ExprPtr taken;  // names that additional properties must not have
  const auto take = [&](ExprPtr names) { taken = taken ? choice({taken, std::move(names)}) : std::move(names); };
  for (const Property& property : named) {
    const std::string key = Json(property.name).dump();
    take(text(key.substr(1, key.size() - 2)));
  }
  if (const auto patterns = schema.find("patternProperties"); patterns != schema.end()) {
    const std::string list = child_pointer(pointer, "patternProperties");
    if (!patterns->is_object()) fail_schema(list, "expected an object of schemas");
    if (patterns->size() > 1) fail_schema(list, "more than one pattern is not supported");
    for (const auto& [pattern, value] : patterns->items()) {
      const ExprPtr names = parse_regex(pattern, RegexMatch::anywhere, "json schema at " + in_quotes(list) + ": ");
      for (const Property& property : named) {
        if (!matches(names, property.name)) continue;
        fail_schema(list, "a pattern that matches a property's name, ", in_quotes(property.name), ", is not supported");
      }
      const ExprPtr spelled = spelled_in_json(names);
      kinds.push_back(json_.member(quoted_string(spelled), compile(value, child_pointer(list, pattern))));
      take(spelled);
    }
  }
  ExprPtr name;
  if (const auto names = schema.find("propertyNames"); names != schema.end()) {
    const std::string place = child_pointer(pointer, "propertyNames");
    if (!named.empty() || !kinds.empty())
      fail_schema(place, "beside properties, required or patternProperties it is not supported");
    if (!names->is_object()) fail_schema(place, "expected a schema of strings");
    for (const auto& [keyword, value] : names->items()) {
      const bool known = keyword == "pattern" || keyword == "format" || keyword == "minLength" ||
                         keyword == "maxLength" || is_annotation(keyword) ||
                         (keyword == "type" && value == Json("string"));
      if (!known) fail_schema(place, "keyword ", in_quotes(keyword), " is not supported for names");
    }
    name = string_content(*names, place);
  }
  if (const ExprPtr value = additional_value(schema, pointer)) {
    const ExprPtr any = spelled_in_json(repeat(chars(CodePointSet::all()), 0, kUnbounded));
    const ExprPtr key = name ? quoted_string(name) : taken ? quoted_string(difference(any, taken)) : json_.string();
    kinds.push_back(json_.member(key, value));
  }
  if (kinds.empty()) return {};
  return {.member = in_a_rule(child_pointer(pointer, "additionalProperties"), choice(std::move(kinds)))};
}

void SchemaCompiler::count_properties(const Json& schema, const std::vector<Property>& named, Extra& extra,
                                      const std::string& pointer) const {
  const std::uint32_t min = count_of(schema, "minProperties", 0, pointer);
  const std::uint32_t max = count_of(schema, "maxProperties", kUnbounded, pointer);
  if (max < min) fail_schema(pointer, "expected minProperties to be at most maxProperties");
  const auto num_required = static_cast<std::uint32_t>(
      std::count_if(named.begin(), named.end(), [](const Property& property) { return property.required; }));
  const bool all_required = num_required == named.size();
  if (max < num_required)
    fail_schema(pointer, "expected maxProperties to be at least the number of required properties");
  if (all_required && (extra.member || min <= num_required)) {
    if (extra.member) {
      extra.min = min > num_required ? min - num_required : 0;
      extra.max = max == kUnbounded ? kUnbounded : max - num_required;
    }
    return;
  }
  if (min > num_required)
    fail_schema(pointer, "minProperties above the number of required properties is not supported beside optional ones");
  if (max < named.size() || (extra.member && max != kUnbounded)) {
    fail_schema(pointer, "maxProperties below the number of properties is not supported beside optional ones");
  }
}

// The named properties in their order, then the others. more(i): what may follow when one is already there.
ExprPtr SchemaCompiler::members(const std::vector<Property>& named, const Extra& extra) const {
  const auto with_comma = [&](const ExprPtr& member) { return sequence({json_.comma(), member}); };
  std::vector<ExprPtr> first;
  ExprPtr more = text("");
  if (extra.member && extra.max > 0) {
    const bool bounded = extra.max != kUnbounded;
    first.push_back(sequence({extra.member, repeat(with_comma(extra.member), extra.min > 0 ? extra.min - 1 : 0,
                                                   bounded ? extra.max - 1 : kUnbounded)}));
    more = shared(repeat(with_comma(extra.member), extra.min, extra.max));
  }
  for (auto property = named.rbegin(); property != named.rend(); ++property) {
    if (property->required) first.clear();
    first.push_back(sequence({property->member, more}));
    const ExprPtr next = with_comma(property->member);
    more = shared(sequence({property->required ? next : optional(next), more}));
  }
  return choice(std::move(first));
}

}  // namespace xlstm::text::grammar
