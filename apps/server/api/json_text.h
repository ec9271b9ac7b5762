// JSON written piece by piece, where a document would cost more than what it says.
#pragma once

#include <string>
#include <string_view>

namespace xlstm::server::api {

/// Appends `text`, which is UTF-8, as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);

/// `prefix` and 128 random bits in hex, which nobody can guess: "cmpl-0f...".
std::string make_id(std::string_view prefix);

}  // namespace xlstm::server::api
