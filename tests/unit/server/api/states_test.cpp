#include "apps/server/api/states.h"

#include "apps/server/api/state_transfer.h"
#include "tests/unit/server/api/api_fixture.h"
#include "tests/unit/server/api/expect_refusal.h"

namespace xlstm::server::api {
namespace {

using Json = nlohmann::ordered_json;

class States : public ApiTest {
 protected:
  static std::string create(const Json& fields) { return ask("POST /v1/states", fields)["id"]; }
  static Json on(const std::string& route, const std::string& id, int status = 200, const std::string& body = "") {
    const HttpResponse response = server_->send(route, body, id);
    EXPECT_EQ(response.status, status) << response.body;
    return Json::parse(response.body);
  }
  static std::string go_on(const std::string& id, const std::string& prompt, int tokens = 8) {
    return ask("POST /v1/completions",
               {{"state", id}, {"prompt", prompt}, {"temperature", 0}, {"max_tokens", tokens}})["choices"][0]["text"];
  }
};

TEST_F(States, ATextIsReadOnceAndGoneOnWithOften) {
  const std::string id = create({{"prompt", "To be, or"}});
  EXPECT_THAT(id, testing::MatchesRegex("state-[0-9a-f]+"));
  const std::string expected = alone("To be, or not to be", 8).text;
  EXPECT_EQ(go_on(id, " not to be"), expected);
  EXPECT_EQ(go_on(id, " not to be"), expected) << "a state is a value";
  const Json state = on("GET /v1/states/{id}", id);
  EXPECT_EQ(state["object"], "state");
  EXPECT_EQ(state["tokens"], server_->service().engine().encode("To be, or", true).size());
  EXPECT_EQ(create({{"prompt", " not to be"}, {"state", id}}).size(), id.size());
}

TEST_F(States, AForkIsAnotherNameForTheSame) {
  const std::string id = create({{"prompt", "To be, or"}});
  const std::string fork = on("POST /v1/states/{id}/fork", id)["id"];
  EXPECT_NE(fork, id);
  EXPECT_TRUE(on("DELETE /v1/states/{id}", id)["deleted"]);
  on("GET /v1/states/{id}", id, 404);
  on("DELETE /v1/states/{id}", id, 404);
  EXPECT_EQ(go_on(fork, " not to be"), alone("To be, or not to be", 8).text);
  bool listed = false;
  const Json all = ask("GET /v1/states", Json::object());
  for (const Json& state : all["data"]) listed |= state["id"] == fork;
  EXPECT_TRUE(listed);
}

TEST_F(States, AFileComesBackAsTheSameState) {
  const std::string half = ask("POST /v1/completions", {{"prompt", "To be, or not to be"},
                                                        {"temperature", 0},
                                                        {"max_tokens", 5},
                                                        {"return_state", true}})["choices"][0]["state_id"];
  const HttpResponse file = server_->send("GET /v1/states/{id}/export", "", half);
  EXPECT_EQ(file.status, 200);
  EXPECT_EQ(file.content_type, "application/octet-stream");
  const Json imported = on("POST /v1/states/import", "", 200, file.body);
  EXPECT_EQ(imported["tokens"], on("GET /v1/states/{id}", half)["tokens"]) << "with the id that was drawn last";
  const Json rest =
      ask("POST /v1/completions", {{"state", imported["id"]}, {"temperature", 0}, {"max_tokens", 7}})["choices"][0];
  const std::string whole = alone("To be, or not to be", 12).text;
  EXPECT_EQ(alone("To be, or not to be", 5).text + rest["text"].get<std::string>(), whole);
}

TEST_F(States, ADamagedFileIsRefusedWithoutAPath) {
  const std::string id = create({{"prompt", "To be, or"}});
  std::string bytes = server_->send("GET /v1/states/{id}/export", "", id).body;
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  for (const std::string& damaged : {bytes, bytes.substr(0, bytes.size() / 2), std::string(), std::string("{}")}) {
    const HttpResponse response = server_->send("POST /v1/states/import", damaged);
    EXPECT_THAT(response.status, testing::AnyOf(400, 422)) << response.body;
    EXPECT_THAT(response.body, testing::Not(testing::HasSubstr("/tmp")));
  }
}

TEST_F(States, MessagesAreReadWithoutAGenerationPrompt) {
  const Json talk{{{"role", "user"}, {"content", "Whither?"}}};
  const std::string id = create({{"messages", talk}});
  const Json fields{{"messages", talk}, {"temperature", 0}, {"max_tokens", 8}};
  Json from_state = fields;
  from_state["state"] = id;
  const Json answer = ask("POST /v1/chat/completions", from_state);
  EXPECT_EQ(answer["choices"], ask("POST /v1/chat/completions", fields)["choices"]);
  expect_refused("POST /v1/states", Json::object(), 400, "invalid_value", "prompt");
  expect_refused("POST /v1/states", {{"prompt", "x"}, {"messages", talk}}, 400, "invalid_value", "prompt");
}

TEST(StateStoreTest, KeepsTheMostRecentlyUsedWithinItsBounds) {
  KeptState state;
  state.pending = {1};
  StateStore three(/*state_bytes=*/100, /*max_bytes=*/1000, /*max_states=*/3);
  const std::string a = three.put(state), b = three.put(state), c = three.put(state);
  three.get(a, "state");
  const std::string d = three.put(state);
  EXPECT_EQ(three.size(), 3u);
  EXPECT_TRUE(three.find(a));
  EXPECT_FALSE(three.find(b)) << "used longest ago";
  EXPECT_EQ(three.list().front().id, d);
  EXPECT_EQ(three.bytes(), 3 * (100 + sizeof(TokenId)));

  StateStore bytes(/*state_bytes=*/100, /*max_bytes=*/208, /*max_states=*/10);
  bytes.put(state);
  bytes.put(state);
  bytes.put(state);
  EXPECT_EQ(bytes.size(), 2u);
  StateStore small(/*state_bytes=*/100, /*max_bytes=*/103, /*max_states=*/10);
  expect_refusal(503, "no_memory", "state", [&] { small.put(state); });
  expect_refusal(404, "state_not_found", "x", [&] { small.get("state-0", "x"); });
  EXPECT_FALSE(small.erase("state-0"));
}

}  // namespace
}  // namespace xlstm::server::api
