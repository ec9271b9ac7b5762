// One mapping of a config file, read key by key: every value is checked, every key that nobody asked for is noted.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace xlstm::checkpoint {

/// Getters return nothing when the key is absent or null, and throw corrupt_file ("[file] key: expected ... but got
/// ...") for a value of the wrong type or out of range. Whole numbers are accepted where a float is expected, not the
/// other way round.
class ConfigSection {
 public:
  /// `path` is the key of this section in messages, "" for the root. `object` and `file` must outlive the section.
  ConfigSection(const nlohmann::json& object, const std::string& file, std::string path = "");

  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min = 1,
                                      std::int64_t max = std::numeric_limits<std::int32_t>::max());
  /// Finite, and at least `min` (above it when `exclusive`); never beyond 1e30.
  std::optional<double> real(std::string_view key, double min, bool exclusive = false);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::string> string(std::string_view key);
  /// A list of whole numbers, or one alone.
  std::optional<std::vector<std::int64_t>> integers(std::string_view key, std::int64_t min, std::int64_t max);
  /// A list of whole numbers, empty when absent or null. `expected` describes it in the message.
  std::vector<std::int64_t> list(std::string_view key, std::string_view expected);
  /// A nested mapping; nothing when absent or null.
  std::optional<ConfigSection> section(std::string_view key);

  bool has(std::string_view key) const;
  bool is_null(std::string_view key) const;
  bool is_string(std::string_view key) const;
  bool is_boolean(std::string_view key) const;
  bool is_object(std::string_view key) const;
  /// Whether both keys are there and have the same value.
  bool same(std::string_view key, std::string_view other) const;
  /// Keys that no getter was asked for yet.
  std::vector<std::string> unread_keys() const;

  /// Keys that are known and do not change inference.
  void ignore(std::initializer_list<std::string_view> keys);
  /// Throws unsupported, naming the key, when it is true (anything but false, null, 0 or an empty value).
  void refuse_if_set(std::string_view key, std::string_view why);
  /// Throws corrupt_file / unsupported for the value of `key`.
  [[noreturn]] void refuse_value(std::string_view key, std::string_view expected) const;
  [[noreturn]] void refuse_unsupported(std::string_view key, std::string_view expected) const;

  /// Logs (debug) every key that was not read.
  void note_unknown() const;

  const std::string& file() const noexcept { return file_; }

 private:
  const nlohmann::json* find(std::string_view key);
  std::string full_name(std::string_view key) const;
  std::string found(std::string_view key) const;

  const nlohmann::json& object_;
  const std::string& file_;
  std::string path_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace xlstm::checkpoint
