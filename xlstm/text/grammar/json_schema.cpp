#include "xlstm/text/grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <set>

#include "xlstm/text/grammar/limits.h"
#include "xlstm/text/grammar/schema_compiler.h"

namespace xlstm::text::grammar {
namespace {

constexpr std::size_t kMaxSchemas = 10'000;  // compiled, those that several alternatives repeat counted each time

struct Keyword {
  std::string_view name;
  std::string_view type;  // of the values it speaks of; "": of all
};
constexpr Keyword kKeywords[] = {
    {"$ref", ""},
    {"allOf", ""},
    {"anyOf", ""},
    {"oneOf", ""},
    {"type", ""},
    {"nullable", ""},
    {"enum", ""},
    {"const", ""},
    {"properties", "object"},
    {"required", "object"},
    {"additionalProperties", "object"},
    {"patternProperties", "object"},
    {"propertyNames", "object"},
    {"minProperties", "object"},
    {"maxProperties", "object"},
    {"items", "array"},
    {"prefixItems", "array"},
    {"additionalItems", "array"},
    {"minItems", "array"},
    {"maxItems", "array"},
    {"uniqueItems", "array"},
    {"minLength", "string"},
    {"maxLength", "string"},
    {"pattern", "string"},
    {"format", "string"},
    {"minimum", "number"},
    {"maximum", "number"},
    {"exclusiveMinimum", "number"},
    {"exclusiveMaximum", "number"},
};
constexpr std::string_view kTypes[] = {"object", "array", "string", "number", "integer", "boolean", "null"};

bool is_known(std::string_view keyword) {
  return is_annotation(keyword) || std::any_of(std::begin(kKeywords), std::end(kKeywords),
                                               [&](const Keyword& known) { return known.name == keyword; });
}

void check_keywords(const Json& schema, const std::string& pointer) {
  for (const auto& [keyword, value] : schema.items()) {
    if (!is_known(keyword)) fail_schema(pointer, "keyword ", in_quotes(keyword), " is not supported");
  }
}

bool is_bare(const Json& schema) {
  return std::all_of(schema.items().begin(), schema.items().end(),
                     [](const auto& item) { return is_annotation(item.key()); });
}

// Those that are asked for; without `type` those that the keywords speak of, or all.
std::vector<std::string> types_of(const Json& schema, const std::string& pointer) {
  std::set<std::string> types;
  if (const auto type = schema.find("type"); type != schema.end()) {
    const Json list = type->is_array() ? *type : Json::array({*type});
    for (const Json& name : list) {
      if (!name.is_string() ||
          std::find(std::begin(kTypes), std::end(kTypes), name.get<std::string>()) == std::end(kTypes)) {
        fail_schema(pointer,
                    "expected type to be object, array, string, number, integer, boolean, null or a list of these");
      }
      types.insert(name.get<std::string>());
    }
  } else {
    for (const Keyword& keyword : kKeywords) {
      if (!keyword.type.empty() && schema.contains(keyword.name)) types.emplace(keyword.type);
    }
    if (types.empty()) types = {"object", "array", "string", "number", "boolean", "null"};
  }
  if (types.count("number") != 0) types.erase("integer");
  if (const auto nullable = schema.find("nullable"); nullable != schema.end()) {
    if (!nullable->is_boolean()) fail_schema(pointer, "expected nullable to be true or false");
    if (*nullable == Json(true)) types.insert("null");
  }
  return {types.begin(), types.end()};
}

}  // namespace

std::uint32_t count_of(const Json& schema, const char* keyword, std::uint32_t otherwise, const std::string& pointer) {
  const auto value = schema.find(keyword);
  if (value == schema.end()) return otherwise;
  const bool is_count = value->is_number_unsigned() || (value->is_number_float() && has_type(*value, "integer"));
  if (!is_count || value->get<double>() < 0 || value->get<double>() > kMaxRepeat) {
    fail_schema(pointer, "expected ", keyword, " to be a number from 0 to ", kMaxRepeat);
  }
  return static_cast<std::uint32_t>(value->get<double>());
}

SchemaCompiler::SchemaCompiler(std::string_view source, const JsonOptions& options)
    : document_(source), options_(options), json_(options.whitespace) {}

Grammar SchemaCompiler::run() {
  ExprPtr root = compile(document_.root(), "");
  for (std::size_t i = 0; i < unfinished_.size(); ++i) {
    const auto [rule, reference] = unfinished_[i];
    ExprPtr body = compile(document_.resolve(reference, reference.substr(1)), reference.substr(1));
    json_.grammar().rules[rule].body = std::move(body);
  }
  json_.grammar().root = json_.grammar().add("#", std::move(root));
  return std::move(json_.grammar());
}

ExprPtr SchemaCompiler::compile(const Json& schema, const std::string& pointer) {
  if (++num_schemas_ > kMaxSchemas)
    fail_schema(pointer, "expected at most ", kMaxSchemas, " schemas but alternatives make more");
  if (depth_ == kMaxNesting) fail_schema(pointer, "expected at most ", kMaxNesting, " schemas within each other");
  if (schema.is_boolean()) return schema == Json(true) ? json_.value() : choice({});
  if (!schema.is_object()) fail_schema(pointer, "expected a schema, which is an object or a boolean");
  ++depth_;
  ExprPtr result = compile_object_form(schema, pointer);
  --depth_;
  return result;
}

ExprPtr SchemaCompiler::compile_object_form(const Json& schema, const std::string& pointer) {
  check_keywords(schema, pointer);
  if (schema.contains("$ref") || schema.contains("allOf")) return compile_reference(schema, pointer);
  if (schema.contains("anyOf")) return compile_alternatives(schema, "anyOf", pointer);
  if (schema.contains("oneOf")) return compile_alternatives(schema, "oneOf", pointer);
  if (schema.contains("const") || schema.contains("enum")) return compile_fixed(schema, pointer);
  if (is_bare(schema)) return json_.value();
  std::vector<ExprPtr> kinds;
  for (const std::string& type : types_of(schema, pointer)) kinds.push_back(compile_type(schema, type, pointer));
  return choice(std::move(kinds));
}

// A reference alone is a rule, so that it may lead back here; with other keywords it is joined with them.
ExprPtr SchemaCompiler::compile_reference(const Json& schema, const std::string& pointer) {
  Json others = schema;
  others.erase("$ref");
  if (!schema.contains("$ref") || !is_bare(others)) return compile(document_.flatten(schema, pointer), pointer);
  document_.resolve(schema["$ref"], pointer);
  const auto reference = schema["$ref"].get<std::string>();
  const auto [entry, is_new] = rules_.emplace(reference, 0);
  if (is_new) {
    entry->second = json_.grammar().add(reference);
    unfinished_.emplace_back(entry->second, reference);
  }
  return call(entry->second);
}

ExprPtr SchemaCompiler::compile_alternatives(const Json& schema, const char* keyword, const std::string& pointer) {
  Json others = schema;
  others.erase(keyword);
  const bool alone = is_bare(others);
  const Json& parts = schema[keyword];
  const std::string list = child_pointer(pointer, keyword);
  if (!parts.is_array() || parts.empty()) fail_schema(list, "expected a list of schemas");
  if (!alone) others = document_.flatten(others, pointer);
  std::vector<ExprPtr> alternatives;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string place = child_pointer(list, std::to_string(i));
    alternatives.push_back(alone ? compile(parts[i], place)
                                 : compile(document_.merge(others, document_.flatten(parts[i], place), place), place));
  }
  return choice(std::move(alternatives));
}

ExprPtr SchemaCompiler::compile_fixed(const Json& schema, const std::string& pointer) {
  Json values = schema.contains("enum") ? schema["enum"] : Json::array({schema["const"]});
  if (!values.is_array() || values.empty()) fail_schema(pointer, "expected enum to be a list of values");
  for (const auto& [keyword, value] : schema.items()) {
    if (keyword == "const" || keyword == "enum" || keyword == "type" || keyword == "nullable" || is_annotation(keyword))
      continue;
    fail_schema(pointer, "keyword ", in_quotes(keyword), " beside const or enum is not supported");
  }
  const std::vector<std::string> types = types_of(schema, pointer);
  std::vector<ExprPtr> literals;
  for (const Json& value : values) {
    const bool typed =
        std::any_of(types.begin(), types.end(), [&](const std::string& type) { return has_type(value, type); });
    if (typed && (!schema.contains("const") || value == schema["const"])) literals.push_back(literal(value));
  }
  if (literals.empty()) fail_schema(pointer, "expected a value that type, const and enum allow but there is none");
  return choice(std::move(literals));
}

ExprPtr SchemaCompiler::literal(const Json& value) const {
  if (!value.is_structured()) return text(value.dump());
  std::vector<ExprPtr> parts;
  for (const auto& [key, element] : value.items()) {
    if (!parts.empty()) parts.push_back(json_.comma());
    parts.push_back(value.is_object() ? json_.member(text(Json(key).dump()), literal(element)) : literal(element));
  }
  const bool empty = parts.empty();
  if (value.is_object()) return json_.brackets("{", empty ? choice({}) : sequence(std::move(parts)), empty, "}");
  return json_.brackets("[", empty ? choice({}) : sequence(std::move(parts)), empty, "]");
}

ExprPtr SchemaCompiler::compile_type(const Json& schema, const std::string& type, const std::string& pointer) {
  if (type == "object") return compile_object(schema, pointer);
  if (type == "array") return compile_array(schema, pointer);
  if (type == "string") return compile_string(schema, pointer);
  if (type == "boolean") return choice({text("true"), text("false")});
  if (type == "null") return text("null");
  return compile_number(schema, type == "integer", pointer);
}

ExprPtr SchemaCompiler::in_a_rule(const std::string& pointer, ExprPtr body) {
  return call(json_.grammar().add("#" + pointer, std::move(body)));
}

Grammar parse_json_schema(std::string_view source, const JsonOptions& options) {
  return SchemaCompiler(source, options).run();
}

}  // namespace xlstm::text::grammar
