// The fields of a request's JSON: each is asked for by name, and what nobody asked for is refused by name.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "apps/server/api/errors.h"
#include "apps/server/api/limits.h"

namespace xlstm::server::api {

using Json = nlohmann::ordered_json;

/// The value as it stands in an answer; texts that are not UTF-8 with U+FFFD.
std::string dump(const Json& value);

/// Throws a 400 `invalid_value`: "NAME: expected EXPECTED but got FOUND" (a long value is cut).
[[noreturn]] void refuse(const std::string& name, std::string_view expected, const Json& found);
/// Throws `status` for a limit: "NAME: expected at most MOST WHAT but got FOUND".
[[noreturn]] void refuse_limit(int status, const std::string& name, std::uint64_t most, std::string_view what,
                               std::uint64_t found);

/// A body. Errors: ApiError 400 `invalid_json` (no JSON, at which byte) and 413 `json_limit` (levels, values).
Json parse_json(std::string_view text, const Limits& limits);

/// Reads one object. A field that is null counts as absent. Errors of all: ApiError 400, naming the field.
class ObjectReader {
 public:
  /// `path`: of the object within the body, as "messages[0]"; empty: the body. The object must outlive the reader.
  /// Errors: what is no object.
  explicit ObjectReader(const Json& object, std::string path = "");

  /// The field's place in the body, for messages: "messages[0].role".
  std::string name(std::string_view field) const;
  bool has(const std::string& field) const;

  /// The value as it is; null if absent.
  const Json* value(const std::string& field);
  std::optional<bool> boolean(const std::string& field);
  std::optional<std::int64_t> integer(const std::string& field, std::int64_t least, std::int64_t most);
  std::optional<double> number(const std::string& field, double least, double most);
  std::optional<std::string> text(const std::string& field);
  /// Errors: also what is none of `choices`.
  std::optional<std::string> one_of(const std::string& field, const std::vector<std::string>& choices);
  const Json* object(const std::string& field);
  const Json* array(const std::string& field);
  /// Errors: also one that is absent.
  std::string required_text(const std::string& field);

  /// Accepted, whatever they say: they change nothing of an answer.
  void ignore(const std::vector<std::string>& fields);
  /// Known from elsewhere but not to be had here: 400 `unsupported_parameter` if one is there.
  void refuse_unsupported(const std::vector<std::string>& fields) const;
  /// 400 `unknown_parameter` for a field that nobody has asked for.
  void finish() const;

 private:
  const Json& object_;
  std::string path_;
  std::set<std::string> known_;
};

}  // namespace xlstm::server::api
