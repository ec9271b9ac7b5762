// Routes of states that clients keep: /v1/states.
#pragma once

#include <memory>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

/// POST /v1/states: reads `prompt`, or `messages` without a generation prompt, behind `state` if that is given. Answer
/// of it and of the next ones: {"id", "object": "state", "tokens", "bytes", "created"}.
void create_state(Context& context, const std::shared_ptr<Exchange>& exchange);
/// GET /v1/states: {"object": "list", "data"}, the most recently used first; tells the ids to whoever has a key.
void list_states(Context& context, const std::shared_ptr<Exchange>& exchange);
/// GET, DELETE /v1/states/{id}.
void get_state(Context& context, const std::shared_ptr<Exchange>& exchange);
void delete_state(Context& context, const std::shared_ptr<Exchange>& exchange);
/// POST /v1/states/{id}/fork: another id for the same; the state is shared.
void fork_state(Context& context, const std::shared_ptr<Exchange>& exchange);
/// GET /v1/states/{id}/export: a state file (docs/state_file.md). POST /v1/states/import: its bytes as the body. Both
/// hold the engine between two steps for as long as the file takes, and the first of them for the model's hash.
void export_state(Context& context, const std::shared_ptr<Exchange>& exchange);
void import_state(Context& context, const std::shared_ptr<Exchange>& exchange);

}  // namespace xlstm::server::api
