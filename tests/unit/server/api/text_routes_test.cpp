#include "apps/server/api/text_routes.h"

#include "tests/unit/server/api/api_fixture.h"

namespace xlstm::server::api {
namespace {

using Json = nlohmann::ordered_json;

class TextRoutes : public ApiTest {};

TEST_F(TextRoutes, TokenizeGivesTheIdsOfACompletion) {
  const Json answer = ask("POST /tokenize", {{"content", "To be \u00e9"}, {"with_pieces", true}});
  const std::vector<TokenId> ids = server_->service().engine().encode("To be \u00e9", true);
  EXPECT_EQ(answer["tokens"], Json(ids));
  EXPECT_EQ(answer["count"], ids.size());
  std::string bytes;
  for (const Json& piece : answer["pieces"]) {
    for (const Json& byte : piece["bytes"]) bytes += static_cast<char>(byte.get<int>());
  }
  EXPECT_THAT(bytes, testing::EndsWith("To be \u00e9"));
  EXPECT_EQ(ask("POST /tokenize", {{"prompt", "To be \u00e9"}, {"add_special_tokens", false}})["tokens"],
            Json(server_->service().engine().encode("To be \u00e9", false)));
  EXPECT_EQ(server_->send("POST /tokenize", R"({"content": ""})").status, 200);
}

TEST_F(TextRoutes, DetokenizeIsItsInverse) {
  const Json ids = ask("POST /tokenize", {{"content", "Whither? \u00e9"}, {"add_special_tokens", false}})["tokens"];
  EXPECT_EQ(ask("POST /detokenize", {{"tokens", ids}})["content"], "Whither? \u00e9");
  expect_refused("POST /detokenize", {{"tokens", {4096}}}, 400, "invalid_value", "tokens");
  expect_refused("POST /detokenize", Json::object(), 400, "missing_parameter", "tokens");
}

TEST_F(TextRoutes, ApplyTemplateShowsWhatAChatReads) {
  const Json messages{{{"role", "user"}, {"content", "Whither?"}}};
  EXPECT_EQ(ask("POST /apply-template", {{"messages", messages}})["prompt"], "USER.\nWhither?\n\nASSISTANT.\n");
  EXPECT_EQ(ask("POST /apply-template", {{"messages", messages}, {"add_generation_prompt", false}})["prompt"],
            "USER.\nWhither?\n\n");
  const Json tool{{"type", "function"}, {"function", {{"name", "f"}}}};
  EXPECT_THAT(ask("POST /apply-template", {{"messages", messages}, {"tools", {tool}}})["prompt"].get<std::string>(),
              testing::StartsWith("TOOLS [{"));
  EXPECT_EQ(ask("POST /tokenize", {{"messages", messages}})["tokens"],
            Json(server_->service().engine().encode("USER.\nWhither?\n\nASSISTANT.\n", true)));
}

TEST(TextLimits, APromptBeyondThemIsRefused) {
  ApiOptions options;
  options.limits.prompt_tokens = 4;
  options.limits.template_bytes = 64;
  TestServer server(options);
  EXPECT_EQ(server.send("POST /tokenize", R"({"content": "a b c d e f g h"})").status, 422);
  EXPECT_EQ(server.send("POST /v1/completions", R"({"model": "bard", "prompt": [1, 2, 3, 4, 5]})").status, 422);
  const std::string chat = R"({"messages": [{"role": "user", "content": ")" + std::string(100, 'x') + R"("}]})";
  EXPECT_EQ(server.send("POST /apply-template", chat).status, 400);
}

}  // namespace
}  // namespace xlstm::server::api
