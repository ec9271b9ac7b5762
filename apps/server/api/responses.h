// /v1/responses: answers that the server remembers, so that the next request sends only what is new.
#pragma once

#include <memory>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

/// POST /v1/responses. Unless "store" is false the state after the answer is kept under the response's id, which also
/// serves as a state's.
void respond_to(Context& context, const std::shared_ptr<Exchange>& exchange);
/// GET and DELETE /v1/responses/{id}.
void get_response(Context& context, const std::shared_ptr<Exchange>& exchange);
void delete_response(Context& context, const std::shared_ptr<Exchange>& exchange);

}  // namespace xlstm::server::api
