// The routes of the API.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/server/api/options.h"
#include "apps/server/http/exchange.h"
#include "xlstm/engine/service.h"

namespace xlstm::server::api {

struct Context;

/// Enters a route: "POST", "/v1/states/{id}/fork".
using AddRoute = std::function<void(const std::string& method, const std::string& path, Handler handler)>;

/// docs/server_api.md lists them. The service must outlive the last call of a handler; keep what is returned until the
/// service has ended, which tells its last requests of it.
std::shared_ptr<Context> add_routes(const AddRoute& add, engine::Service& service, ApiOptions options);

}  // namespace xlstm::server::api
