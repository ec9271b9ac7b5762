// The body of /v1/responses, read and checked.
#pragma once

#include <string>

#include "apps/server/api/context.h"
#include "apps/server/api/tools.h"

namespace xlstm::server::api {

struct ResponsesRequest {
  engine::Submission submission;
  ToolUse tools;
  bool stream = false, store = true;
  Json messages;  // of the conversation, without the instructions, which are for this answer alone
  Json echo;      // fields that the response repeats
};

/// model, input, instructions, previous_response_id, max_output_tokens, text.format, tools, tool_choice,
/// parallel_tool_calls, store, stream, and those of read_sampling. Errors: ApiError.
ResponsesRequest read_responses_request(const Json& body, Context& context);

}  // namespace xlstm::server::api
