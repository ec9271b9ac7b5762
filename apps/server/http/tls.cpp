#include "apps/server/http/tls.h"

#include <openssl/ssl.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "xlstm/base/error.h"

namespace xlstm::server {
namespace ssl = boost::asio::ssl;
namespace {

void check_readable(const std::filesystem::path& path) {
  if (!std::ifstream(path)) {
    fail(ErrorCode::not_found, path.string(), "expected to read it but got \"", std::strerror(errno), "\"");
  }
}

void check(const boost::system::error_code& error, const std::filesystem::path& path, const char* expected) {
  if (error)
    fail(ErrorCode::invalid_argument, path.string(), "expected ", expected, " but got \"", error.message(), "\"");
}

/// Protocols as ALPN has them: a length byte before each.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                    void*) {
  static constexpr unsigned char kHttp11[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int found = ::SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof(kHttp11) - 1, in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

std::shared_ptr<ssl::context> load_tls(const TlsFiles& files) {
  check_readable(files.certificate);
  check_readable(files.key);
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  ::SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  ::SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);  // an idle connection keeps no buffers
  ::SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_protocol, nullptr);
  boost::system::error_code error;
  context->use_certificate_chain_file(files.certificate.string(), error);
  check(error, files.certificate, "a certificate chain in PEM");
  context->use_private_key_file(files.key.string(), ssl::context::pem, error);
  check(error, files.key, "the private key of that certificate in PEM, without a password");
  return context;
}

}  // namespace xlstm::server
