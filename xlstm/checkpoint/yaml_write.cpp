#include <algorithm>
#include <array>
#include <string_view>

#include "xlstm/checkpoint/json_document.h"

namespace xlstm::checkpoint {
namespace {

using nlohmann::json;

// YAML 1.1 reads 1e-06 as a text: a number needs its point.
std::string number(const json& value) {
  std::string text = value.dump();
  if (!value.is_number_float() || text.find('.') != std::string::npos) return text;
  const std::size_t exponent = std::min(text.find('e'), text.size());
  return text.insert(exponent, ".0");
}

// Small letters, digits and _ after a letter, but for the words that YAML 1.1 takes for other things than texts.
bool is_plain(std::string_view key) {
  constexpr std::array<std::string_view, 9> kWords = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
  const auto fits = [](char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !key.empty() && key[0] >= 'a' && key[0] <= 'z' && std::all_of(key.begin(), key.end(), fits) &&
         std::find(kWords.begin(), kWords.end(), key) == kWords.end();
}

// Everything below the root in the style of JSON, which is YAML too.
std::string flow(const json& value) {
  std::string text;
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      text += (text.empty() ? "" : ", ") + json(key).dump() + ": " + flow(item);
    }
    return '{' + text + '}';
  }
  if (value.is_array()) {
    for (const json& item : value) text += (text.empty() ? "" : ", ") + flow(item);
    return '[' + text + ']';
  }
  return value.is_number() ? number(value) : value.dump();
}

}  // namespace

std::string dump_yaml(const json& root) {
  std::string text;
  for (const auto& [key, value] : root.items())
    text += (is_plain(key) ? key : json(key).dump()) + ": " + flow(value) + '\n';
  return text;
}

}  // namespace xlstm::checkpoint
