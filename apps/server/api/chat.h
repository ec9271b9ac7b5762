// POST /v1/chat/completions.
#pragma once

#include <memory>

#include "apps/server/api/chat_request.h"
#include "apps/server/api/context.h"
#include "apps/server/api/tools.h"

namespace xlstm::server::api {

/// OpenAI's fields that the engine can honour, with those of read_sampling, read_constraint and read_conversation
/// beside them; tools and tool_choice by the model's template; state (one that has read the beginning of the
/// conversation) and return_state.
void chat(Context& context, const std::shared_ptr<Exchange>& exchange);

/// The prompt of a conversation in which tools are offered; an enforced call becomes the only text that may come.
/// Errors: ApiError 400 when the template does not tell the model of tools, or a schema is beyond what can be enforced;
/// those of render().
void set_chat_prompt(const Context& context, text::ChatRequest conversation, const ToolUse& tools,
                     engine::Submission& submission);

}  // namespace xlstm::server::api
