// The answer to a chat, whole or as a stream of chunks.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/server/api/json_text.h"
#include "apps/server/api/run.h"
#include "apps/server/api/tools.h"

namespace xlstm::server::api {

/// What of a request the answer needs to know.
struct ChatShape {
  std::string id = make_id("chatcmpl-");
  std::int64_t created = std::time(nullptr);
  std::size_t choices = 1;
  bool include_usage = false, return_state = false, logprobs = false;
  ToolUse tools;
  std::vector<TokenId> stop_ids, prompt;
  std::optional<scheduler::Start> start;
};

std::shared_ptr<Answer> make_chat_answer(Context& context, std::shared_ptr<Exchange> exchange, ChatShape shape,
                                         bool stream);

}  // namespace xlstm::server::api
