// JSON Schema's `format` of strings.
#pragma once

#include <string>
#include <string_view>

namespace xlstm::text::grammar {

/// A regular expression for the whole of a string of that format; "" for a format that is not known. Each is a part of
/// what the format's RFC allows: no leap seconds, hosts without trailing dot, IPv6 without an IPv4 tail.
std::string_view format_pattern(std::string_view format);
/// The known formats, for messages: "date, time, ...".
std::string known_formats();

}  // namespace xlstm::text::grammar
