// POST /v1/messages: Anthropic's form of a chat.
#pragma once

#include <memory>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

void message(Context& context, const std::shared_ptr<Exchange>& exchange);
/// POST /v1/messages/count_tokens: {"input_tokens"}.
void count_message_tokens(Context& context, const std::shared_ptr<Exchange>& exchange);

}  // namespace xlstm::server::api
