#include "xlstm/checkpoint/config_section.h"

#include <cmath>
#include <sstream>
#include <utility>

#include "xlstm/base/log.h"
#include "xlstm/checkpoint/refuse.h"

namespace xlstm::checkpoint {
namespace {

using nlohmann::json;

// Far inside float32, so that no value becomes infinite when it is narrowed.
constexpr double kMaxReal = 1e30;

bool is_integer_in(const json& value, std::int64_t min, std::int64_t max) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(max)) return false;
  const auto number = value.get<std::int64_t>();
  return number >= min && number <= max;
}

std::string range_text(std::string_view kind, std::int64_t min, std::int64_t max) {
  return std::string(kind) + " from " + std::to_string(min) + " to " + std::to_string(max);
}

}  // namespace

ConfigSection::ConfigSection(const json& object, const std::string& file, std::string path)
    : object_(object), file_(file), path_(std::move(path)) {}

std::string ConfigSection::full_name(std::string_view key) const {
  return one_line(path_.empty() ? std::string(key) : path_ + '.' + std::string(key));
}

std::string ConfigSection::found(std::string_view key) const {
  const auto value = object_.find(key);
  if (value == object_.end()) return "nothing";
  return one_line(value->dump(-1, ' ', false, json::error_handler_t::replace), 80);
}

void ConfigSection::refuse_value(std::string_view key, std::string_view expected) const {
  refuse_corrupt(file_, full_name(key), ": expected ", expected, " but got ", found(key));
}

void ConfigSection::refuse_unsupported(std::string_view key, std::string_view expected) const {
  refuse(ErrorCode::unsupported, file_, full_name(key), ": expected ", expected, " but got ", found(key));
}

const json* ConfigSection::find(std::string_view key) {
  known_.emplace(key);
  const auto value = object_.find(key);
  return value == object_.end() || value->is_null() ? nullptr : &*value;
}

bool ConfigSection::has(std::string_view key) const { return object_.contains(key); }

bool ConfigSection::is_null(std::string_view key) const {
  const auto value = object_.find(key);
  return value != object_.end() && value->is_null();
}

bool ConfigSection::is_string(std::string_view key) const {
  const auto value = object_.find(key);
  return value != object_.end() && value->is_string();
}

bool ConfigSection::is_boolean(std::string_view key) const {
  const auto value = object_.find(key);
  return value != object_.end() && value->is_boolean();
}

bool ConfigSection::is_object(std::string_view key) const {
  const auto value = object_.find(key);
  return value != object_.end() && value->is_object();
}

bool ConfigSection::same(std::string_view key, std::string_view other) const {
  const auto value = object_.find(key), other_value = object_.find(other);
  return value != object_.end() && other_value != object_.end() && *value == *other_value;
}

std::vector<std::string> ConfigSection::unread_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object_.items()) {
    if (!known_.contains(key)) keys.push_back(key);
  }
  return keys;
}

std::optional<std::int64_t> ConfigSection::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const json* value = find(key);
  if (!value) return std::nullopt;
  if (!is_integer_in(*value, min, max)) refuse_value(key, range_text("a whole number", min, max));
  return value->get<std::int64_t>();
}

std::optional<double> ConfigSection::real(std::string_view key, double min, bool exclusive) {
  const json* value = find(key);
  if (!value) return std::nullopt;
  const double number = value->is_number() ? value->get<double>() : NAN;
  if (!(exclusive ? number > min : number >= min) || number > kMaxReal) {
    std::ostringstream expected;
    expected << (exclusive ? "a number above " : "a number of at least ") << min;
    refuse_value(key, expected.str());
  }
  return number;
}

std::optional<bool> ConfigSection::boolean(std::string_view key) {
  const json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse_value(key, "true or false");
  return value->get<bool>();
}

std::optional<std::string> ConfigSection::string(std::string_view key) {
  const json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse_value(key, "a string");
  return value->get<std::string>();
}

std::optional<std::vector<std::int64_t>> ConfigSection::integers(std::string_view key, std::int64_t min,
                                                                 std::int64_t max) {
  const json* value = find(key);
  if (!value) return std::nullopt;
  std::vector<std::int64_t> numbers;
  const auto add = [&](const json& element) {
    if (!is_integer_in(element, min, max)) refuse_value(key, range_text("whole numbers", min, max));
    numbers.push_back(element.get<std::int64_t>());
  };
  if (value->is_array()) {
    for (const json& element : *value) add(element);
  } else {
    add(*value);
  }
  return numbers;
}

std::vector<std::int64_t> ConfigSection::list(std::string_view key, std::string_view expected) {
  const json* value = find(key);
  if (!value) return {};
  if (!value->is_array()) refuse_value(key, expected);
  std::vector<std::int64_t> numbers;
  for (const json& element : *value) {
    if (!is_integer_in(element, INT32_MIN, INT32_MAX)) refuse_value(key, expected);
    numbers.push_back(element.get<std::int64_t>());
  }
  return numbers;
}

std::optional<ConfigSection> ConfigSection::section(std::string_view key) {
  const json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_object()) refuse_value(key, "a mapping");
  return ConfigSection(*value, file_, full_name(key));
}

void ConfigSection::ignore(std::initializer_list<std::string_view> keys) { known_.insert(keys.begin(), keys.end()); }

void ConfigSection::refuse_if_set(std::string_view key, std::string_view why) {
  const json* value = find(key);
  if (!value || value->empty()) return;
  if (value->is_boolean() && !value->get<bool>()) return;
  if (value->is_number() && value->get<double>() == 0) return;
  refuse(ErrorCode::unsupported, file_, full_name(key), ": expected false or no such key but got ", found(key), " (",
         why, ')');
}

void ConfigSection::note_unknown() const {
  for (const std::string& key : unread_keys()) {
    log(LogLevel::debug, one_line('[' + file_ + "] the key " + full_name(key) + " is not known and is ignored", 1000));
  }
}

}  // namespace xlstm::checkpoint
