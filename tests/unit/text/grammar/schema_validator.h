// A small JSON Schema validator, written from the specification and not from the grammar: the other opinion.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

namespace xlstm::text::grammar {

inline std::size_t code_points(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// Knows what the tests' schemas use. $ref: from `root`.
inline bool is_valid(const nlohmann::json& value, const nlohmann::json& schema, const nlohmann::json& root) {
  using nlohmann::json;
  if (schema.is_boolean()) return schema.get<bool>();
  const auto valid = [&](const json& v, const json& s) { return is_valid(v, s, root); };
  const auto has = [&](const char* keyword) { return schema.contains(keyword); };
  const auto is_type = [&](const std::string& type) {
    if (type == "integer") return value.is_number_integer();
    return type == "number" ? value.is_number() : type == value.type_name();
  };
  if (has("$ref") && !valid(value, root.at(json::json_pointer(schema["$ref"].get<std::string>().substr(1)))))
    return false;
  if (has("type")) {
    const json types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
    if (std::none_of(types.begin(), types.end(), [&](const json& t) { return is_type(t.get<std::string>()); }))
      return false;
  }
  if (has("enum") && std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
    return false;
  if (has("anyOf") &&
      std::none_of(schema["anyOf"].begin(), schema["anyOf"].end(), [&](const json& s) { return valid(value, s); }))
    return false;
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    if (has("minLength") && code_points(text) < schema["minLength"]) return false;
    if (has("maxLength") && code_points(text) > schema["maxLength"]) return false;
    if (has("pattern") && !std::regex_search(text, std::regex(schema["pattern"].get<std::string>()))) return false;
  }
  if (value.is_number()) {
    if (has("minimum") && value < schema["minimum"]) return false;
    if (has("maximum") && value > schema["maximum"]) return false;
    if (has("exclusiveMinimum") && value <= schema["exclusiveMinimum"]) return false;
  }
  if (value.is_array()) {
    if (has("minItems") && value.size() < schema["minItems"]) return false;
    if (has("maxItems") && value.size() > schema["maxItems"]) return false;
    const std::size_t prefix = has("prefixItems") ? schema["prefixItems"].size() : 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i < prefix ? !valid(value[i], schema["prefixItems"][i]) : has("items") && !valid(value[i], schema["items"]))
        return false;
    }
  }
  if (value.is_object()) {
    for (const json& name : schema.value("required", json::array())) {
      if (!value.contains(name.get<std::string>())) return false;
    }
    for (const auto& [name, member] : value.items()) {
      const bool named = has("properties") && schema["properties"].contains(name);
      if (named ? !valid(member, schema["properties"][name])
                : has("additionalProperties") && !valid(member, schema["additionalProperties"]))
        return false;
    }
  }
  return true;
}

}  // namespace xlstm::text::grammar
