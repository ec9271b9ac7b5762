// The body of /v1/messages (Anthropic's form), read and checked.
#pragma once

#include <vector>

#include "apps/server/api/chat_request.h"
#include "apps/server/api/tools.h"

namespace xlstm::server::api {

struct MessagesRequest {
  engine::Submission submission;
  ToolUse tools;
  bool stream = false;
};

/// max_tokens, messages, system, stop_sequences, temperature, top_p, top_k, tools, tool_choice, stream, and the
/// extensions of read_sampling. A last message of the assistant is gone on with. Errors: ApiError.
MessagesRequest read_messages_request(const Json& body, Context& context);
/// The ids that such a body without max_tokens stands for. Errors: ApiError.
std::vector<TokenId> read_counted_messages(const Json& body, const Context& context);

}  // namespace xlstm::server::api
