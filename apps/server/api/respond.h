// The plain answer: JSON in one piece.
#pragma once

#include <utility>

#include "apps/server/api/json_reader.h"

namespace xlstm::server::api {

inline void respond_json(Exchange& exchange, const Json& body, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = dump(body);
  exchange.respond(std::move(response));
}

}  // namespace xlstm::server::api
