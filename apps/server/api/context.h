// What all routes share.
#pragma once

#include <ctime>
#include <string>

#include "apps/server/api/active_requests.h"
#include "apps/server/api/metrics.h"
#include "apps/server/api/options.h"
#include "apps/server/api/sse.h"
#include "apps/server/api/state_store.h"
#include "xlstm/engine/service.h"

namespace xlstm::server::api {

/// The service must outlive it, and it the last request.
struct Context {
  Context(engine::Service& engine_service, ApiOptions api_options);

  engine::Service& service;
  const ApiOptions options;
  const std::string fingerprint;  // of what a seed's text depends on beside the request: "fp_..."
  const std::int64_t started = std::time(nullptr);
  ActiveRequests active;
  StateStore states;
  Metrics metrics;
  KeepAlive keep_alive;
};

/// Errors: ApiError 404 `model_not_found` for another name than the served one; a missing one is an error too.
void check_model(ObjectReader& body, const Context& context);

/// Ids of a text, BOS in front if the model wants one. Errors: ApiError 422 beyond Limits::prompt_tokens.
std::vector<TokenId> encode_prompt(const Context& context, std::string_view text, bool with_bos,
                                   const std::string& name);

}  // namespace xlstm::server::api
