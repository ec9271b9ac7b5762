// A JSON Schema as written: reading it, following its references, joining schemas into one.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "xlstm/base/error.h"
#include "xlstm/text/grammar/expr.h"

namespace xlstm::text::grammar {

using Json = nlohmann::ordered_json;  // properties keep their order

/// invalid_argument with the JSON pointer of the schema that is to blame.
template <class... Parts>
[[noreturn]] void fail_schema(const std::string& pointer, const Parts&... parts) {
  fail(ErrorCode::invalid_argument, "json schema", "at ", pointer.empty() ? "the root" : in_quotes(pointer), ": ",
       parts...);
}

/// `pointer` and one more step.
std::string child_pointer(const std::string& pointer, std::string_view step);

class SchemaDocument {
 public:
  /// Errors: invalid_argument for a text that is no JSON, is too large or nested too deeply, has a key twice.
  explicit SchemaDocument(std::string_view source);

  const Json& root() const noexcept { return root_; }
  /// What "#", "#/a/b" stand for; `pointer` is where the reference is. Errors: any other reference, or one to nothing.
  const Json& resolve(const Json& reference, const std::string& pointer) const;
  /// The same schema without $ref and allOf at its top. Errors: parts that cannot be joined (the keyword is named), and
  /// references that lead back to themselves.
  Json flatten(const Json& schema, const std::string& pointer, int depth = 0) const;
  /// Valid by both. Errors: as flatten().
  Json merge(Json a, const Json& b, const std::string& pointer) const;

 private:
  Json root_;
};

/// Keywords that only describe: title, description, default, examples, $comment and the like.
bool is_annotation(std::string_view keyword);
/// Whether the value is of the type, as JSON Schema says it: 1.0 is an integer.
bool has_type(const Json& value, std::string_view type);

}  // namespace xlstm::text::grammar
