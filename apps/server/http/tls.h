// TLS of the server. Internal to the transport: it shows Boost.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "apps/server/http/options.h"

namespace xlstm::server {

/// TLS 1.2 and later, HTTP/1.1 by ALPN. Errors: not_found (a file that cannot be read), invalid_argument (one that is
/// no certificate or key, or two that do not belong together), each with OpenSSL's reason.
std::shared_ptr<boost::asio::ssl::context> load_tls(const TlsFiles& files);

}  // namespace xlstm::server
