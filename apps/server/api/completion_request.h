// The body of /v1/completions, read and checked.
#pragma once

#include <string>
#include <vector>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

struct CompletionRequest {
  std::vector<engine::Submission> submissions;  // one a prompt, without listeners
  bool stream = false, include_usage = false, echo = false, return_state = false;

  std::size_t choices_each() const { return submissions.front().num_samples; }
};

/// `stream` and `stream_options` of any form of a request.
struct StreamFields {
  bool stream = false, include_usage = false;
};
/// Errors: ApiError 400, as for options without a stream.
StreamFields read_stream(ObjectReader& body);

/// Errors: ApiError.
CompletionRequest read_completion_request(const Json& body, Context& context);

}  // namespace xlstm::server::api
