// Routes about the server itself: models, health, what it runs and what it is.
#pragma once

#include <memory>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

/// GET /v1/models and /v1/models/{id}: the one served model, as OpenAI lists them.
void list_models(Context& context, const std::shared_ptr<Exchange>& exchange);
void get_model(Context& context, const std::shared_ptr<Exchange>& exchange);
/// GET /health and /ready: {"status": "ok"}, or 503 with a reason (ApiOptions::unhealthy, unready).
void health(Context& context, const std::shared_ptr<Exchange>& exchange);
void ready(Context& context, const std::shared_ptr<Exchange>& exchange);
/// GET /slots: each request that runs or waits, without a word of its text.
void slots(Context& context, const std::shared_ptr<Exchange>& exchange);
/// GET /props: model, defaults and limits.
void props(Context& context, const std::shared_ptr<Exchange>& exchange);
/// GET /metrics, in the Prometheus text format.
void metrics(Context& context, const std::shared_ptr<Exchange>& exchange);

}  // namespace xlstm::server::api
