#include "apps/cli/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

template <class T>
std::optional<T> parse(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// A validator that leaves what it accepts in canonical form: CLI11 itself would read "010" as eight.
CLI::Validator validator(std::function<std::string(std::string&)> check) {
  return CLI::Validator(std::move(check), "");
}

std::string refuse(std::string_view expected, std::string_view found) {
  return fmt::format("expected {} but got '{}'", expected, found);
}

}  // namespace

CLI::Validator integer_between(std::int64_t least, std::int64_t most) {
  return validator([=](std::string& text) -> std::string {
    const auto value = parse<std::int64_t>(text);
    if (!value || *value < least || *value > most) {
      const bool bounded = most != std::numeric_limits<std::int64_t>::max();
      return refuse(
          bounded ? fmt::format("an integer from {} to {}", least, most) : fmt::format("an integer >= {}", least),
          text);
    }
    text = std::to_string(*value);
    return "";
  });
}

CLI::Validator unsigned_integer() {
  return validator([](std::string& text) -> std::string {
    const auto value = parse<std::uint64_t>(text);
    if (!value) return refuse("an integer from 0 to 18446744073709551615", text);
    text = std::to_string(*value);
    return "";
  });
}

CLI::Validator number_in(const NumberRange& range) {
  return validator([=](std::string& text) -> std::string {
    const auto value = parse<double>(text);
    const bool inside = value && std::isfinite(*value) && *value <= range.most &&
                        (range.open ? *value > range.least : *value >= range.least);
    if (inside) return "";
    std::string expected = "a number";
    if (range.least != NumberRange().least) expected += fmt::format(" {} {}", range.open ? ">" : ">=", range.least);
    if (range.most != NumberRange().most) expected += fmt::format(" and <= {}", range.most);
    return refuse(expected, text);
  });
}

CLI::Validator one_of(std::vector<std::string> words) {
  return validator([words = std::move(words)](std::string& text) -> std::string {
    if (std::find(words.begin(), words.end(), text) != words.end()) return "";
    return refuse(fmt::format("one of {}", fmt::join(words, ", ")), text);
  });
}

CLI::Validator not_empty(std::string what) {
  return validator(
      [what = std::move(what)](std::string& text) -> std::string { return text.empty() ? refuse(what, text) : ""; });
}

std::size_t parse_bytes(std::string_view text, std::string_view flag) {
  constexpr std::array<std::pair<std::string_view, double>, 8> kUnits = {
      {{"", 1}, {"B", 1}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}}};
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto value = parse<double>(text.substr(0, digits));
  const auto unit =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& known) { return known.first == text.substr(digits); });
  const double bytes = value && unit != kUnits.end() ? *value * unit->second : 0;
  if (!(bytes >= 1 && bytes <= 1e18)) {
    fail(ErrorCode::invalid_argument, flag, "expected a size as in 500MB or 5GiB but got '", text, "'");
  }
  return static_cast<std::size_t>(bytes);
}

std::vector<TokenId> parse_token_ids(std::string_view text, std::string_view flag) {
  std::vector<TokenId> ids;
  for (const std::string_view part : split_at_commas(text)) {
    const auto id = parse<TokenId>(part);
    if (!id || *id < 0) {
      fail(ErrorCode::invalid_argument, flag, "expected token ids as in 0,17,4 but got '", part, "' for id ",
           ids.size() + 1);
    }
    ids.push_back(*id);
  }
  return ids;
}

std::vector<std::int64_t> parse_integers(std::string_view text, std::string_view flag, std::int64_t least,
                                         std::int64_t most) {
  std::vector<std::int64_t> values;
  for (const std::string_view part : split_at_commas(text)) {
    const auto value = parse<std::int64_t>(part);
    if (!value || *value < least || *value > most) {
      fail(ErrorCode::invalid_argument, flag, "expected integers from ", least, " to ", most, " as in 1,2,4 but got '",
           part, "'");
    }
    values.push_back(*value);
  }
  return values;
}

std::pair<TokenId, float> parse_logit_bias(std::string_view text) {
  const std::size_t equals = text.find('=');
  const auto id = parse<TokenId>(text.substr(0, equals));
  const auto bias = equals == text.npos ? std::nullopt : parse<float>(text.substr(equals + 1));
  const bool good = id && *id >= 0 && bias && (std::isfinite(*bias) || *bias < 0);  // -inf bans, NaN is neither
  if (!good) fail(ErrorCode::invalid_argument, "--logit-bias", "expected ID=NUMBER or ID=-inf but got '", text, "'");
  return {*id, *bias};
}

}  // namespace xlstm::cli
