// POST /v1/completions.
#pragma once

#include <memory>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

/// OpenAI's fields that the engine can honour, and top_k, min_p, repetition_penalty, min_tokens, ignore_eos,
/// stop_token_ids, grammar, regex, response_format, state (its prompt goes on from there, without a BOS) and
/// return_state. `prompt`: a text, a list of texts, ids, or a list of lists of ids.
void complete(Context& context, const std::shared_ptr<Exchange>& exchange);

}  // namespace xlstm::server::api
