#include "xlstm/text/grammar/schema_document.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "xlstm/text/grammar/limits.h"
#include "xlstm/text/grammar/source_cursor.h"

namespace xlstm::text::grammar {
namespace {

using Event = nlohmann::detail::parse_event_t;

// Nesting and double keys, while the text is read.
class Watch {
 public:
  bool operator()(int depth, Event event, const Json& value) {
    if (depth > 2 * kMaxNesting) {
      fail(ErrorCode::invalid_argument, "json schema", "expected at most ", 2 * kMaxNesting,
           " levels of JSON but got more");
    }
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key && !keys_.back().insert(value.get<std::string>()).second) {
      fail(ErrorCode::invalid_argument, "json schema", "expected each key once in an object but got ",
           in_quotes(value.get<std::string>()), " twice");
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;
};

std::vector<std::string> types_of(const Json& type) {
  if (type.is_array()) return type.get<std::vector<std::string>>();
  return {type.get<std::string>()};
}

bool are_types(const Json& type) {
  const auto is_string = [](const Json& value) { return value.is_string(); };
  return type.is_string() || (type.is_array() && std::all_of(type.begin(), type.end(), is_string));
}

Json common_types(const Json& a, const Json& b) {
  Json common = Json::array();
  for (const std::string& x : types_of(a)) {
    for (const std::string& y : types_of(b)) {
      if (x == y || (x == "integer" && y == "number")) common.push_back(x);
      if (x == "number" && y == "integer") common.push_back(y);
    }
  }
  return common;
}

Json common_values(const Json& a, const Json& b) {
  Json common = Json::array();
  for (const Json& value : a) {
    if (std::find(b.begin(), b.end(), value) != b.end()) common.push_back(value);
  }
  return common;
}

Json joined(Json a, const Json& b) {
  for (const Json& value : b) {
    if (std::find(a.begin(), a.end(), value) == a.end()) a.push_back(value);
  }
  return a;
}

Json all_of(const Json& a, const Json& b) { return a == b ? a : Json{{"allOf", Json::array({a, b})}}; }

Json merged_properties(Json a, const Json& b) {
  for (const auto& [name, schema] : b.items()) {
    const auto known = a.find(name);
    if (known == a.end()) {
      a[name] = schema;
    } else {
      *known = all_of(*known, schema);
    }
  }
  return a;
}

// The fragment of a URI.
std::string percent_decoded(const std::string& text) {
  std::string result;
  SourceCursor at(text);
  while (!at.at_end()) {
    const char c = at.peek();
    at.advance();
    const auto byte = c == '%' ? at.read_hex(2) : std::nullopt;
    result += byte ? static_cast<char>(*byte) : c;
  }
  return result;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// additionalProperties speaks of its own schema's properties only: another part's would be among the additional ones.
void refuse_foreign_properties(const Json& a, const Json& b, const std::string& pointer) {
  const auto additional = a.find("additionalProperties");
  const auto others = b.find("properties");
  if (additional == a.end() || *additional == Json(true) || others == b.end() || !others->is_object()) return;
  const auto own = a.find("properties");
  for (const auto& [name, schema] : others->items()) {
    if (own != a.end() && own->contains(name)) continue;
    fail_schema(pointer, "joining additionalProperties with another part's property ", in_quotes(name),
                " is not supported");
  }
}

}  // namespace

std::string child_pointer(const std::string& pointer, std::string_view step) {
  std::string result = pointer + '/';
  for (const char c : step) result += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return result;
}

bool is_annotation(std::string_view keyword) {
  return is_one_of(
      keyword, {"$schema", "$id", "id", "$comment", "$defs", "definitions", "title", "description", "default",
                "example", "examples", "deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType"});
}

bool has_type(const Json& value, std::string_view type) {
  if (type == "integer") {
    return value.is_number_integer() ||
           (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
  }
  return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
         (type == "string" && value.is_string()) || (type == "number" && value.is_number()) ||
         (type == "boolean" && value.is_boolean()) || (type == "null" && value.is_null());
}

SchemaDocument::SchemaDocument(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    fail(ErrorCode::invalid_argument, "json schema", "expected at most ", kMaxSourceBytes, " bytes but got ",
         source.size());
  }
  try {
    Watch watch;
    root_ = Json::parse(source.begin(), source.end(),
                        [&](int depth, Event event, Json& value) { return watch(depth, event, value); });
  } catch (const Json::parse_error& error) {
    fail(ErrorCode::invalid_argument, "json schema", "expected JSON but got a syntax error at byte ", error.byte);
  } catch (const Json::exception&) {
    fail(ErrorCode::invalid_argument, "json schema", "expected JSON but got a number that no float64 holds");
  }
}

const Json& SchemaDocument::resolve(const Json& reference, const std::string& pointer) const {
  if (!reference.is_string()) fail_schema(pointer, "expected $ref to be a string");
  const auto target = reference.get<std::string>();
  if (target != "#" && !target.starts_with("#/")) {
    fail_schema(pointer, "expected $ref to begin with #/, within this schema, but got ", in_quotes(target));
  }
  try {
    return root_.at(Json::json_pointer(percent_decoded(target.substr(1))));
  } catch (const Json::exception&) {
    fail_schema(pointer, "expected $ref to lead to a schema but there is nothing at ", in_quotes(target));
  }
}

Json SchemaDocument::flatten(const Json& schema, const std::string& pointer, int depth) const {
  if (!schema.is_object()) return schema;
  if (depth > kMaxNesting) fail_schema(pointer, "$ref and allOf lead back to themselves");
  Json result = schema;
  const auto take = [&](const char* keyword) {
    Json value = result[keyword];
    result.erase(keyword);
    return value;
  };
  if (result.contains("$ref")) {
    const Json reference = take("$ref");
    result = merge(flatten(resolve(reference, pointer), pointer, depth + 1), result, pointer);
    if (!result.is_object()) return result;
  }
  if (result.contains("allOf")) {
    const Json parts = take("allOf");
    if (!parts.is_array() || parts.empty()) fail_schema(pointer, "expected allOf to be a list of schemas");
    for (const Json& part : parts) result = merge(std::move(result), flatten(part, pointer, depth + 1), pointer);
  }
  return result;
}

Json SchemaDocument::merge(Json a, const Json& b, const std::string& pointer) const {
  for (const Json* part : {&std::as_const(a), &b}) {
    if (!part->is_object() && !part->is_boolean()) fail_schema(pointer, "expected every part to be a schema");
  }
  if (a == Json(true)) return b;
  if (b == Json(true)) return a;
  if (!a.is_object() || !b.is_object()) return false;
  refuse_foreign_properties(a, b, pointer);
  refuse_foreign_properties(b, a, pointer);
  for (const auto& [keyword, value] : b.items()) {
    const auto known = a.find(keyword);
    if (known == a.end()) {
      a[keyword] = value;
      continue;
    }
    Json& mine = *known;
    if (mine == value || is_annotation(keyword)) continue;
    const bool lists = mine.is_array() && value.is_array();
    const bool numbers = mine.is_number() && value.is_number();
    const bool objects = mine.is_object() && value.is_object();
    if (keyword == "type" && are_types(mine) && are_types(value)) {
      mine = common_types(mine, value);
      if (mine.empty()) return false;
    } else if (keyword == "enum" && lists) {
      mine = common_values(mine, value);
      if (mine.empty()) return false;
    } else if (keyword == "required" && lists) {
      mine = joined(mine, value);
    } else if (keyword == "properties" && objects) {
      mine = merged_properties(mine, value);
    } else if (is_one_of(keyword, {"items", "additionalProperties"}) && !lists) {
      mine = mine == Json(true) ? value : value == Json(true) ? mine : all_of(mine, value);
    } else if (numbers &&
               is_one_of(keyword, {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})) {
      mine = std::max(mine, value);
    } else if (numbers &&
               is_one_of(keyword, {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})) {
      mine = std::min(mine, value);
    } else {
      fail_schema(pointer, "joining two different values of ", in_quotes(keyword), " is not supported");
    }
  }
  return a;
}

}  // namespace xlstm::text::grammar
