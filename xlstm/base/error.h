// The one way to fail: check at the border, throw one type, never abort, never print.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace xlstm {

/// What kind of fault it is; fixes the CLI exit code, the HTTP status and the Python exception.
enum class ErrorCode {
  invalid_argument,  // exit 2
  unsupported,       // exit 2
  not_found,         // exit 3
  corrupt_file,      // exit 3
  overloaded,        // exit 4: no memory, no slot, no room in a queue
  cancelled,         // exit 130
  internal,          // exit 70
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// Throws Error(code, "[where] part part ..."). The message is one line: what, where, expected, found.
template <class... Parts>
[[noreturn]] void fail(ErrorCode code, std::string_view where, const Parts&... parts) {
  std::ostringstream message;
  ((message << '[' << where << "] ") << ... << parts);
  throw Error(code, message.str());
}

}  // namespace xlstm

/// An internal promise; throws Error(internal) in every build when it does not hold.
#define XLSTM_CHECK(condition)                                                                              \
  do {                                                                                                      \
    if (!(condition)) ::xlstm::fail(::xlstm::ErrorCode::internal, __func__, "broken promise: " #condition); \
  } while (false)
