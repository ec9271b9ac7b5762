// Routes about text and ids: /tokenize, /detokenize, /apply-template.
#pragma once

#include <memory>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

/// content (or prompt, or messages), add_special_tokens (true: the BOS that a completion would have), with_pieces ->
/// {"tokens", "count"}, with pieces {"pieces": [{"id", "piece", "bytes"}]}.
void tokenize(Context& context, const std::shared_ptr<Exchange>& exchange);
/// tokens -> {"content"}.
void detokenize(Context& context, const std::shared_ptr<Exchange>& exchange);
/// messages, tools and what read_conversation takes -> {"prompt"}: the text that a chat would begin with.
void apply_template(Context& context, const std::shared_ptr<Exchange>& exchange);

}  // namespace xlstm::server::api
