#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "tests/unit/server/http/server_fixture.h"
#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

template <class T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

/// A certificate that signs itself, and its key, as PEM files.
void write_certificate(const TlsFiles& files, long serial) {
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Owned<X509> certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  ASSERT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  const auto write = [](const std::filesystem::path& path, const auto& body) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(body(file), 1);
    std::fclose(file);
  };
  write(files.certificate, [&](std::FILE* file) { return PEM_write_X509(file, certificate.get()); });
  write(files.key,
        [&](std::FILE* file) { return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

/// TLS over a Client's socket.
class TlsClient {
 public:
  TlsClient(std::uint16_t port, int min_version, int max_version)
      : socket_(port), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    SSL_CTX_set_min_proto_version(context_.get(), min_version);
    SSL_CTX_set_max_proto_version(context_.get(), max_version);
    SSL_CTX_set_cipher_list(context_.get(), "DEFAULT:@SECLEVEL=0");  // else the library refuses old versions by itself
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), socket_.fd());
    connected_ = SSL_connect(ssl_.get()) == 1;
  }
  bool connected() const { return connected_; }
  void send(const std::string& text) { SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())); }
  /// Until `last` has come or the connection ends.
  std::string read_until(const std::string& last) {
    std::string text;
    char buffer[16384];
    while (text.find(last) == std::string::npos) {
      const int count = SSL_read(ssl_.get(), buffer, sizeof(buffer));
      if (count <= 0) break;
      text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
  }
  long serial() const {
    const Owned<X509> certificate(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    return ASN1_INTEGER_get(X509_get0_serialNumber(certificate.get()));
  }
  bool ended_cleanly() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  void close() { socket_.close(); }

 private:
  Client socket_;
  Owned<SSL_CTX> context_;
  Owned<SSL> ssl_;
  bool connected_ = false;
};

class TlsTest : public ServerTest {
 protected:
  TlsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "xlstm-tls-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    directory_ = name;
    options_.tls = TlsFiles{directory_ / "certificate.pem", directory_ / "key.pem"};
    write_certificate(*options_.tls, 1);
  }
  ~TlsTest() override { std::filesystem::remove_all(directory_); }
  TlsClient tls_client(int version = TLS1_3_VERSION) const { return TlsClient(port(), version, version); }

  std::filesystem::path directory_;
};

TEST_F(TlsTest, ServesTls12AndLater) {
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient one = tls_client(version);
    ASSERT_TRUE(one.connected());
    for (int i = 0; i < 3; ++i) {
      one.send(get("/echo/a", port()));
      EXPECT_TRUE(one.read_until("GET /echo/a ").starts_with("HTTP/1.1 200"));
    }
    one.send(get("/stream?parts=100&size=1000", port(), "Connection: close\r\n"));
    const std::string streamed = one.read_until("never");
    EXPECT_TRUE(streamed.ends_with("\r\n0\r\n\r\n"));
    EXPECT_EQ(std::count(streamed.begin() + streamed.find("\r\n\r\n"), streamed.end(), 'x'), 100'000);
    EXPECT_TRUE(one.ended_cleanly());
  }
  EXPECT_FALSE(tls_client(TLS1_1_VERSION).connected());
  EXPECT_TRUE(Client(port()).ask(get("/open", port())).body.empty());
}

TEST_F(TlsTest, LargeAnswersAndGoneClients) {
  start();
  TlsClient large = tls_client(), gone_one = tls_client();
  large.send(get("/stream?parts=30&size=100000", port()));
  EXPECT_GT(large.read_until("\r\n0\r\n\r\n").size(), 3'000'000u);
  gone_one.send(post("/hold", port(), ""));
  const auto exchange = held(1)[0];
  gone_one.close();
  EXPECT_TRUE(eventually([&] { return gone() == 1; }));
}

TEST_F(TlsTest, TheCertificateIsReadAgain) {
  start();
  TlsClient first = tls_client();
  EXPECT_EQ(first.serial(), 1);
  write_certificate(*options_.tls, 2);
  server_->reload_tls();
  EXPECT_EQ(tls_client().serial(), 2);
  std::ofstream(options_.tls->certificate) << "nothing";
  EXPECT_THROW(server_->reload_tls(), Error);
  EXPECT_EQ(tls_client().serial(), 2);
  first.send(get("/open", port()));
  EXPECT_TRUE(first.read_until("GET /open ").starts_with("HTTP/1.1 200"));
}

TEST_F(TlsTest, FilesThatAreNoneAreRefused) {
  const TlsFiles good = *options_.tls, other = {directory_ / "other.pem", directory_ / "other-key.pem"};
  write_certificate(other, 3);
  for (const TlsFiles& bad :
       {TlsFiles{good.certificate, other.key}, TlsFiles{good.key, good.key}, TlsFiles{directory_ / "none", good.key},
        TlsFiles{good.certificate, directory_ / "none"}, TlsFiles{good.certificate, good.certificate}}) {
    options_.tls = bad;
    EXPECT_THROW(start(), Error) << bad.certificate << ' ' << bad.key;
  }
}

}  // namespace
}  // namespace xlstm::server
