#include "apps/server/api/embeddings.h"

#include <openssl/evp.h>

#include <cmath>
#include <cstring>

#include "tests/unit/server/api/api_fixture.h"
#include "xlstm/engine/embed.h"

namespace xlstm::server::api {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kRoute = "POST /v1/embeddings";

class EmbeddingsRoute : public ApiTest {};

TEST_F(EmbeddingsRoute, AreThoseOfTheEngine) {
  const std::vector<TokenId> ids = server_->service().engine().encode("To be", true);
  const auto expected = engine::embed(server_->service(), ids, {engine::Pooling::mean, /*normalize=*/true}).get();
  const Json answer = ask(kRoute, {{"input", {"To be", "Whither?"}}});
  ASSERT_EQ(answer["data"].size(), 2u);
  EXPECT_EQ(answer["data"][1]["index"], 1);
  EXPECT_EQ(answer["data"][0]["embedding"].get<std::vector<float>>(), expected);
  EXPECT_EQ(answer["usage"]["prompt_tokens"], ids.size() + server_->service().engine().encode("Whither?", true).size());
  EXPECT_EQ(ask(kRoute, {{"input", ids}})["data"][0], answer["data"][0]);
  double squares = 0;
  for (const float value : expected) squares += static_cast<double>(value) * static_cast<double>(value);
  EXPECT_NEAR(squares, 1, 1e-5);
  EXPECT_NE(ask(kRoute, {{"input", "To be"}, {"pooling", "last"}})["data"][0], answer["data"][0]);
}

TEST_F(EmbeddingsRoute, Base64IsTheSameFloats) {
  const auto floats = ask(kRoute, {{"input", "To be"}})["data"][0]["embedding"].get<std::vector<float>>();
  const std::string text = ask(kRoute, {{"input", "To be"}, {"encoding_format", "base64"}})["data"][0]["embedding"];
  std::string bytes(text.size(), '\0');
  EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), reinterpret_cast<const unsigned char*>(text.data()),
                  static_cast<int>(text.size()));
  ASSERT_GE(bytes.size(), floats.size() * sizeof(float));
  EXPECT_EQ(std::memcmp(bytes.data(), floats.data(), floats.size() * sizeof(float)), 0);
}

TEST_F(EmbeddingsRoute, RefuseByName) {
  expect_refused(kRoute, Json::object(), 400, "missing_parameter", "input");
  expect_refused(kRoute, {{"input", Json::array()}}, 400, "invalid_value", "input");
  expect_refused(kRoute, {{"input", "x"}, {"dimensions", 7}}, 400, "invalid_value", "dimensions");
  expect_refused(kRoute, {{"input", "x"}, {"encoding_format", "int8"}}, 400, "invalid_value", "encoding_format");
  expect_refused(kRoute, {{"input", "x"}, {"colour", 7}}, 400, "unknown_parameter", "colour");
  expect_refused(kRoute, {{"input", Json(std::vector<std::string>(2049, "x"))}}, 422, "limit_exceeded", "input");
}

}  // namespace
}  // namespace xlstm::server::api
