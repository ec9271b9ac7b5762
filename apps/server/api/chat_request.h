// A conversation in a request's body, and what the model's chat template makes of it.
#pragma once

#include <string>
#include <vector>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

/// Messages as templates expect them: contents as plain text, "developer" as "system", the arguments of tool calls as
/// objects. Errors: ApiError 400 (another role, a part that is no text: `unsupported_value`), 422 (Limits::messages).
Json read_messages(const Json& list, const std::string& name, const Limits& limits);

/// messages, add_generation_prompt (true), continue_final_message (false), chat_template_kwargs. Errors: ApiError.
text::ChatRequest read_conversation(ObjectReader& body, const Limits& limits);

/// Errors: ApiError 400 `no_chat_template`, or `template_error` with the template's own words.
std::string render(const Context& context, const text::ChatRequest& request);

/// Ids of the conversation, and where its messages end (Submission::snapshots_at). Errors: as render(); ApiError 422.
void set_prompt(const Context& context, const text::ChatRequest& request, engine::Submission& submission);

/// The submission, whose prompt is a whole text, begins at a state that has read its beginning. False: it has not.
bool begin_within(const KeptState& state, engine::Submission& submission);

}  // namespace xlstm::server::api
