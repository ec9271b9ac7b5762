// Numbers and lists of token ids as they are written on a command line, and the sentences that refuse bad ones.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/token_id.h"

namespace xlstm::cli {

/// Decimal integers in [least, most].
CLI::Validator integer_between(std::int64_t least, std::int64_t most = std::numeric_limits<std::int64_t>::max());
/// 0 .. 2^64 - 1.
CLI::Validator unsigned_integer();

/// Finite numbers in [least, most], or (least, most] when `open`.
struct NumberRange {
  double least = std::numeric_limits<double>::lowest();
  double most = std::numeric_limits<double>::max();
  bool open = false;
};
CLI::Validator number_in(const NumberRange& range);

/// One of the words.
CLI::Validator one_of(std::vector<std::string> words);
/// `what` ("a name") and not nothing: an unset shell variable must not mean the default.
CLI::Validator not_empty(std::string what);

/// "5GB", "512MiB", "1000000" -> bytes, at least 1. Errors: invalid_argument naming `flag`.
std::size_t parse_bytes(std::string_view text, std::string_view flag);

/// "0,17,4" -> ids. Errors: invalid_argument naming `flag` and the part that is not an id.
std::vector<TokenId> parse_token_ids(std::string_view text, std::string_view flag);

/// "1,2,4" -> integers in [least, most]. Errors: invalid_argument naming `flag` and the part that is not one.
std::vector<std::int64_t> parse_integers(std::string_view text, std::string_view flag, std::int64_t least,
                                         std::int64_t most);

/// "17=-2.5" or "17=-inf" -> (17, -2.5). Errors: invalid_argument.
std::pair<TokenId, float> parse_logit_bias(std::string_view text);

}  // namespace xlstm::cli
