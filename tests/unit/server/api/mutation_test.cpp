// Every value of a good request in turn becomes another one: the answer is a refusal or a success, never a fault.
#include "tests/unit/server/api/api_fixture.h"

namespace xlstm::server::api {
namespace {

using Json = nlohmann::ordered_json;

const Json& good_bodies() {
  static const Json kBodies = Json::parse(R"json({
    "POST /v1/completions": {"model": "bard", "prompt": ["Once", "x"], "max_tokens": 2, "min_tokens": 0, "n": 1,
      "best_of": 1, "echo": true, "logprobs": 1, "stop": ["never"], "logit_bias": {"5": 1}, "seed": 1, "top_k": 3,
      "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "integer"}}},
      "return_state": true, "stop_token_ids": [7], "ignore_eos": false},
    "POST /v1/chat/completions": {"model": "bard", "max_tokens": 2, "stream": true,
      "stream_options": {"include_usage": true}, "logprobs": true, "top_logprobs": 1, "modalities": ["text"],
      "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}], "name": "n"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function",
          "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "done"}],
      "tools": [{"type": "function", "function": {"name": "f", "description": "d", "strict": true,
        "parameters": {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}}}],
      "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false,
      "chat_template_kwargs": {"x": 1}},
    "POST /v1/responses": {"model": "bard", "max_output_tokens": 2, "instructions": "Be brief.", "metadata": {"a": "b"},
      "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "done"}],
      "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "integer"}}},
      "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
      "tool_choice": "auto", "include": []},
    "POST /v1/messages": {"model": "bard", "max_tokens": 2, "system": [{"type": "text", "text": "x"}],
      "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "y"}],
          "is_error": false}]}],
      "stop_sequences": ["never"], "thinking": {"type": "disabled"}, "metadata": {"user_id": "u"},
      "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
      "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}},
    "POST /v1/messages/count_tokens": {"model": "bard", "messages": [{"role": "user", "content": "x"}]},
    "POST /v1/embeddings": {"model": "bard", "input": ["x", [1, 2]], "encoding_format": "base64", "dimensions": 256,
      "pooling": "last", "normalize": false},
    "POST /v1/states": {"model": "bard", "messages": [{"role": "user", "content": "x"}]},
    "POST /tokenize": {"content": "x", "add_special_tokens": true, "with_pieces": true},
    "POST /detokenize": {"tokens": [1, 2]},
    "POST /apply-template": {"messages": [{"role": "user", "content": "x"}], "tools": []}
  })json");
  return kBodies;
}

const Json& other_values() {
  static const Json kValues = Json::parse(
      R"([null, true, 0, -1, 1e300, 18446744073709551615, -9223372036854775808, 0.5, "", "x", "\ud83d\ude00\u0000",
          [], {}, [null], [[]], [{}], {"a": 1}, {"type": "text"}, {"type": 1}, [1, 2], ["", 1], {"": {}}])");
  return kValues;
}

class Mutations : public ApiTest {
 protected:
  static void SetUpTestSuite() {
    ApiOptions options;
    options.completion_max_tokens = options.chat_max_tokens = 2;
    options.limits.max_tokens = 8;
    server_ = new TestServer(options);
  }
  static void expect_no_fault(const std::string& route, const Json& body) {
    const HttpResponse response = server_->send(route, body.dump());
    EXPECT_THAT(response.status, testing::AnyOf(200, 400, 404, 413, 422)) << route << " " << body << response.body;
    EXPECT_THAT(response.body, testing::Not(testing::HasSubstr("internal_error"))) << route << " " << body;
  }
};

TEST_F(Mutations, OfAnyValueAreRefusedOrAnswered) {
  for (const auto& [route, good] : good_bodies().items()) {
    EXPECT_EQ(server_->send(route, good.dump()).status, 200) << server_->send(route, good.dump()).body;
    const Json flat = good.flatten();
    for (const auto& [path, value] : flat.items()) {
      // The value itself, and each array and object around it.
      for (Json::json_pointer place(path); !place.empty(); place = place.parent_pointer()) {
        for (const Json& other : other_values()) {
          Json body = good;
          body[place] = other;
          expect_no_fault(route, body);
        }
      }
    }
  }
}

TEST_F(Mutations, OfTheWholeBodyAreRefused) {
  for (const auto& [route, good] : good_bodies().items()) {
    for (const Json& other : other_values()) {
      const HttpResponse response = server_->send(route, other.dump());
      EXPECT_EQ(response.status, 400) << route << " " << other;
    }
    EXPECT_EQ(server_->send(route, "").status, 400);
    EXPECT_EQ(server_->send(route, std::string(100'000, '[')).status, 413);
  }
}

}  // namespace
}  // namespace xlstm::server::api
