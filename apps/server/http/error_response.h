// Faults as answers, in the form of the OpenAI API: {"error": {"message", "type", "param", "code"}}.
#pragma once

#include <string_view>

#include "apps/server/http/exchange.h"
#include "xlstm/base/error.h"

namespace xlstm::server {

/// `code` may be empty: null in the answer. 429 and 503 get Retry-After. Bytes of `message` that are no UTF-8 are
/// replaced.
HttpResponse error_response(int status, std::string_view message, std::string_view code = "");
/// By the error's code: invalid_argument, unsupported, corrupt_file 400, not_found 404, overloaded 503, cancelled 499,
/// internal 500. The message of an internal error stays here.
HttpResponse error_response(const Error& error);

}  // namespace xlstm::server
