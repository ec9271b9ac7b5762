#include "apps/server/api/json_reader.h"

#include <algorithm>
#include <limits>
#include <sstream>

namespace xlstm::server::api {
namespace {

constexpr std::size_t kMostShown = 80;  // bytes of a wrong value that its error shows

/// A long value is not dumped: an error is one short line.
std::string shown(const Json& value) {
  if (value.is_array()) return "a list of " + std::to_string(value.size());
  if (value.is_object()) return "an object";
  std::string text = dump(value.is_string() ? Json(value.get_ref<const std::string&>().substr(0, kMostShown)) : value);
  if (value.is_string() && value.get_ref<const std::string&>().size() > kMostShown) text += "...";
  return text;
}

/// The shortest form that says it: 2, not 2.000000.
std::string plain(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

[[noreturn]] void refuse_unknown(const std::string& code, const std::string& name, const std::string& why) {
  throw ApiError(400, code, name, name + ": " + why);
}

}  // namespace

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

void refuse(const std::string& name, std::string_view expected, const Json& found) {
  throw ApiError(400, "invalid_value", name, name + ": expected " + std::string(expected) + " but got " + shown(found));
}

void refuse_limit(int status, const std::string& name, std::uint64_t most, std::string_view what, std::uint64_t found) {
  throw ApiError(status, "limit_exceeded", name,
                 name + ": expected at most " + std::to_string(most) + " " + std::string(what) + " but got " +
                     std::to_string(found));
}

Json parse_json(std::string_view text, const Limits& limits) {
  std::size_t values = 0;
  const auto count = [&](int depth, Json::parse_event_t event, Json&) {
    const bool opens = event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && static_cast<std::size_t>(depth) >= limits.json_depth) {
      throw ApiError(413, "json_limit", "",
                     "body: expected at most " + std::to_string(limits.json_depth) + " levels of JSON but got more");
    }
    if ((opens || event == Json::parse_event_t::value) && ++values > limits.json_values) {
      throw ApiError(413, "json_limit", "",
                     "body: expected at most " + std::to_string(limits.json_values) + " JSON values but got more");
    }
    return true;
  };
  try {
    return Json::parse(text, count);
  } catch (const Json::parse_error& error) {
    throw ApiError(400, "invalid_json", "", "body: expected JSON but byte " + std::to_string(error.byte) + " is wrong");
  } catch (const Json::out_of_range&) {
    throw ApiError(400, "invalid_json", "", "body: expected numbers in the range of a double but got a larger one");
  }
}

ObjectReader::ObjectReader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object_.is_object()) refuse(path_.empty() ? "body" : path_, "a JSON object", object_);
}

std::string ObjectReader::name(std::string_view field) const {
  return path_.empty() ? std::string(field) : path_ + "." + std::string(field);
}

bool ObjectReader::has(const std::string& field) const {
  const auto found = object_.find(field);
  return found != object_.end() && !found->is_null();
}

const Json* ObjectReader::value(const std::string& field) {
  known_.insert(field);
  const auto found = object_.find(field);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<bool> ObjectReader::boolean(const std::string& field) {
  const Json* const found = value(field);
  if (found == nullptr) return std::nullopt;
  if (!found->is_boolean()) refuse(name(field), "true or false", *found);
  return found->get<bool>();
}

std::optional<std::int64_t> ObjectReader::integer(const std::string& field, std::int64_t least, std::int64_t most) {
  const Json* const found = value(field);
  if (found == nullptr) return std::nullopt;
  const bool too_large =
      found->is_number_unsigned() &&
      found->get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!found->is_number_integer() || too_large || found->get<std::int64_t>() < least ||
      found->get<std::int64_t>() > most) {
    refuse(name(field), "an integer from " + std::to_string(least) + " to " + std::to_string(most), *found);
  }
  return found->get<std::int64_t>();
}

std::optional<double> ObjectReader::number(const std::string& field, double least, double most) {
  const Json* const found = value(field);
  if (found == nullptr) return std::nullopt;
  if (!found->is_number() || !(found->get<double>() >= least && found->get<double>() <= most)) {
    refuse(name(field), "a number from " + plain(least) + " to " + plain(most), *found);
  }
  return found->get<double>();
}

std::optional<std::string> ObjectReader::text(const std::string& field) {
  const Json* const found = value(field);
  if (found == nullptr) return std::nullopt;
  if (!found->is_string()) refuse(name(field), "a text", *found);
  return found->get<std::string>();
}

std::optional<std::string> ObjectReader::one_of(const std::string& field, const std::vector<std::string>& choices) {
  std::optional<std::string> found = text(field);
  if (!found || std::find(choices.begin(), choices.end(), *found) != choices.end()) return found;
  std::string expected;
  for (const std::string& choice : choices) expected += (expected.empty() ? "" : " or ") + dump(choice);
  refuse(name(field), expected, *found);
}

const Json* ObjectReader::object(const std::string& field) {
  const Json* const found = value(field);
  if (found != nullptr && !found->is_object()) refuse(name(field), "an object", *found);
  return found;
}

const Json* ObjectReader::array(const std::string& field) {
  const Json* const found = value(field);
  if (found != nullptr && !found->is_array()) refuse(name(field), "a list", *found);
  return found;
}

std::string ObjectReader::required_text(const std::string& field) {
  std::optional<std::string> found = text(field);
  if (!found) throw ApiError(400, "missing_parameter", name(field), name(field) + ": expected a text but got nothing");
  return *found;
}

void ObjectReader::ignore(const std::vector<std::string>& fields) { known_.insert(fields.begin(), fields.end()); }

void ObjectReader::refuse_unsupported(const std::vector<std::string>& fields) const {
  for (const std::string& field : fields) {
    if (has(field)) refuse_unknown("unsupported_parameter", name(field), "this server does not support it");
  }
}

void ObjectReader::finish() const {
  for (const auto& [field, found] : object_.items()) {
    if (found.is_null() || known_.contains(field)) continue;
    refuse_unknown("unknown_parameter", name(field.substr(0, kMostShown)), "this server does not know it");
  }
}

}  // namespace xlstm::server::api
