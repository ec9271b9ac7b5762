// One JSON Schema on its way to a grammar.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xlstm/text/grammar/json_pieces.h"
#include "xlstm/text/grammar/number_range.h"
#include "xlstm/text/grammar/schema_document.h"

namespace xlstm::text::grammar {

/// A `pointer` is the JSON pointer of the schema at hand, for messages. Methods fail with invalid_argument.
class SchemaCompiler {
 public:
  SchemaCompiler(std::string_view source, const JsonOptions& options);
  Grammar run();

 private:
  // json_schema.cpp: what kinds of values a schema allows.
  ExprPtr compile(const Json& schema, const std::string& pointer);
  ExprPtr compile_object_form(const Json& schema, const std::string& pointer);
  ExprPtr compile_alternatives(const Json& schema, const char* keyword, const std::string& pointer);
  ExprPtr compile_reference(const Json& schema, const std::string& pointer);
  ExprPtr compile_fixed(const Json& schema, const std::string& pointer);
  ExprPtr compile_type(const Json& schema, const std::string& type, const std::string& pointer);
  ExprPtr literal(const Json& value) const;
  ExprPtr in_a_rule(const std::string& pointer, ExprPtr body);

  // schema_values.cpp: strings, numbers, arrays.
  ExprPtr compile_string(const Json& schema, const std::string& pointer);
  /// What stands between the quotes, without rules; null if anything may.
  ExprPtr string_content(const Json& schema, const std::string& pointer) const;
  ExprPtr compile_number(const Json& schema, bool integers_only, const std::string& pointer) const;
  std::optional<NumberBound> bound(const Json& schema, bool is_low, const std::string& pointer) const;
  ExprPtr compile_array(const Json& schema, const std::string& pointer);

  // schema_object.cpp.
  struct Property {
    std::string name;
    ExprPtr member;  // key and value
    bool required;
  };
  struct Extra {
    ExprPtr member;  // null: no properties but the named ones
    std::uint32_t min = 0;
    std::uint32_t max = kUnbounded;
  };
  ExprPtr compile_object(const Json& schema, const std::string& pointer);
  std::vector<Property> named_properties(const Json& schema, const std::string& pointer);
  void add_required(const Json& schema, std::vector<Property>& properties, const std::string& pointer);
  ExprPtr additional_value(const Json& schema, const std::string& pointer);
  Extra extra_properties(const Json& schema, const std::vector<Property>& named, const std::string& pointer);
  void count_properties(const Json& schema, const std::vector<Property>& named, Extra& extra,
                        const std::string& pointer) const;
  ExprPtr members(const std::vector<Property>& named, const Extra& extra) const;

  SchemaDocument document_;
  JsonOptions options_;
  JsonPieces json_;
  std::map<std::string, RuleId> rules_;                     // of references
  std::vector<std::pair<RuleId, std::string>> unfinished_;  // rules whose reference is not compiled yet
  std::size_t num_schemas_ = 0;
  int depth_ = 0;
};

/// The keyword's value as a count up to kMaxRepeat, or `otherwise` if it is missing.
std::uint32_t count_of(const Json& schema, const char* keyword, std::uint32_t otherwise, const std::string& pointer);

}  // namespace xlstm::text::grammar
