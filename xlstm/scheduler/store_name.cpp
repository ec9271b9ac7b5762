#include "xlstm/scheduler/store_name.h"

#include <algorithm>
#include <charconv>

namespace xlstm::scheduler {
namespace {

constexpr std::size_t kHex = 32;
constexpr std::string_view kEnd = ".xst";

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string StoreName::text() const {
  return owner + '-' + ids + '-' + std::to_string(tokens) + '-' + (aligned ? 'a' : 'o') + (logits ? 'l' : 'n') +
         std::string(kEnd);
}

std::optional<StoreName> StoreName::parse(std::string_view text) {
  if (text.size() < 2 * kHex + 2) return std::nullopt;
  StoreName name = {std::string(text.substr(0, kHex)), std::string(text.substr(kHex + 1, kHex))};
  const std::string_view rest = text.substr(2 * kHex + 2);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), name.tokens);
  const std::string_view flags = rest.substr(static_cast<std::size_t>(end - rest.data()));
  if (error != std::errc() || flags.size() < 3) return std::nullopt;
  name.aligned = flags[1] == 'a';
  name.logits = flags[2] == 'l';
  if (!is_hex(name.owner) || !is_hex(name.ids) || name.text() != text) return std::nullopt;
  return name;
}

bool StoreName::covers(const StoreName& other) const noexcept {
  return (aligned || !other.aligned) && (logits || !other.logits);
}

}  // namespace xlstm::scheduler
