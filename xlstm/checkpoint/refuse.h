// How this folder and model/ refuse a file: one line, whatever bytes a hostile name holds.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

#include "xlstm/base/error.h"

namespace xlstm::checkpoint {

/// The text with control characters written as \xHH and at most max_length bytes, "..." for the rest.
std::string one_line(std::string_view text, std::size_t max_length = 200);

/// "\"name\"", made one line.
std::string quote(std::string_view name);

/// Throws Error(code, "[file] part part ..."). Parts that come out of a file go through quote().
template <class... Parts>
[[noreturn]] void refuse(ErrorCode code, std::string_view file, const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  fail(code, one_line(file, 1000), one_line(message.str(), 2000));
}

template <class... Parts>
[[noreturn]] void refuse_corrupt(std::string_view file, const Parts&... parts) {
  refuse(ErrorCode::corrupt_file, file, parts...);
}

}  // namespace xlstm::checkpoint
