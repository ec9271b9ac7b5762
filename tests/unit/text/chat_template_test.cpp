// The chat templates of a tokenizer_config.json, as transformers applies them.
#include "xlstm/text/chat_template.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace xlstm::text {
namespace {

using nlohmann::ordered_json;
using xlstm::tests::expect_error;

constexpr const char* kLines =
    "{{ bos_token }}{% for m in messages %}{{ m.role ~ ': ' ~ m.content ~ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}";

ChatRequest request(ordered_json messages) {
  ChatRequest result;
  result.messages = std::move(messages);
  return result;
}
ordered_json hello() { return {{{"role", "user"}, {"content", "Hello"}}}; }

ChatTemplate from_config(const ordered_json& config) {
  return ChatTemplate::from_tokenizer_config(config.dump()).value();
}

TEST(ChatTemplate, TakesTemplateAndTokensFromTheConfig) {
  const ChatTemplate chat = from_config(
      {{"chat_template", kLines}, {"bos_token", "<s>"}, {"eos_token", {{"content", "</s>"}, {"lstrip", false}}}});
  EXPECT_EQ(chat.render(request(hello())), "<s>user: Hello</s>");
  ChatRequest prompt = request(hello());
  prompt.add_generation_prompt = true;
  EXPECT_EQ(chat.render(prompt), "<s>user: Hello</s>assistant: ");
}

TEST(ChatTemplate, WithoutATemplateThereIsNone) {
  EXPECT_FALSE(ChatTemplate::from_tokenizer_config("{}").has_value());
  EXPECT_FALSE(ChatTemplate::from_tokenizer_config(R"({"chat_template": null})").has_value());
}

TEST(ChatTemplate, TheFileBesideTheConfigGoesFirst) {
  const auto chat =
      ChatTemplate::from_tokenizer_config(R"({"chat_template": "config", "bos_token": "B"})", "{{ bos_token }}file");
  EXPECT_EQ(chat.value().render(request(hello())), "Bfile");
}

TEST(ChatTemplate, ChoosesAmongNamedTemplates) {
  const ChatTemplate chat = from_config({{"chat_template",
                                          {{{"name", "default"}, {"template", "plain"}},
                                           {{"name", "tool_use"}, {"template", "tools"}},
                                           {{"name", "rag"}, {"template", "rag"}}}}});
  ChatRequest any = request(hello());
  EXPECT_EQ(chat.render(any), "plain");
  any.tools = ordered_json::array();
  EXPECT_EQ(chat.render(any), "tools");
  any.template_name = "rag";
  EXPECT_EQ(chat.render(any), "rag");
  any.template_name = "other";
  expect_error(ErrorCode::invalid_argument, "one of the model's templates (default, rag, tool_use) but got another",
               [&] { chat.render(any); });
}

TEST(ChatTemplate, VariablesReplaceTokensButNotTheRequest) {
  const ChatTemplate chat("{{ bos_token }}{{ thinking_budget }}{{ tools }}{{ documents }}", {{"bos_token", "<s>"}});
  ChatRequest any = request(hello());
  EXPECT_EQ(chat.render(any), "<s>NoneNone");
  any.variables = {{"bos_token", "B"}, {"thinking_budget", 5}};
  any.tools = {{{"name", "f"}}};
  EXPECT_EQ(chat.render(any), "B5[{'name': 'f'}]None");
  any.variables = {{"messages", 1}};
  expect_error(ErrorCode::invalid_argument, "a variable of another name than messages", [&] { chat.render(any); });
}

TEST(ChatTemplate, NullFieldsAreDroppedAndReasoningHasTwoNames) {
  const ChatTemplate chat("{{ messages }}", ordered_json::object());
  EXPECT_EQ(chat.render(request({{{"role", "assistant"}, {"content", nullptr}, {"tool_calls", {nullptr}}}})),
            "[{'role': 'assistant', 'tool_calls': [None]}]");
  EXPECT_EQ(chat.render(request({{{"role", "assistant"}, {"reasoning", "r"}}})),
            "[{'thinking': 'r', 'role': 'assistant', 'reasoning': 'r', 'reasoning_content': 'r'}]");
  EXPECT_EQ(chat.render(request({{{"thinking", "t"}, {"reasoning_content", "r"}}})),
            "[{'thinking': 't', 'reasoning_content': 'r'}]");
}

TEST(ChatTemplate, ContinuesTheFinalMessage) {
  const ChatTemplate kept(kLines, {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
  const ChatTemplate trimmed("{% for m in messages %}[{{ m.content | trim }}]{% endfor %}", ordered_json::object());
  ChatRequest any = request({{{"role", "user"}, {"content", "Hi"}}, {{"role", "assistant"}, {"content", "I think "}}});
  any.continue_final_message = "content";
  EXPECT_EQ(kept.render(any), "<s>user: Hi</s>assistant: I think ");
  EXPECT_EQ(trimmed.render(any), "[Hi][I think");
  any.messages.back()["content"] = {
      {{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", "b"}}, {{"type", "image"}}};
  const ChatTemplate parts("{% for p in messages[-1].content %}{{ p.text }};{% endfor %}", ordered_json::object());
  EXPECT_EQ(parts.render(any), "a;b");
}

TEST(ChatTemplate, RefusesWhatCannotBeContinued) {
  const ChatTemplate chat(kLines, {{"bos_token", ""}, {"eos_token", ""}});
  const auto refuse = [&](const ChatTemplate& by, ChatRequest what, const std::string& why) {
    what.continue_final_message = "content";
    expect_error(ErrorCode::invalid_argument, why, [&] { by.render(what); });
  };
  refuse(chat, request({{{"role", "assistant"}}}), "expected a field to continue in the last message");
  refuse(chat, request({{{"role", "assistant"}, {"content", 5}}}),
         "expected text to continue in the last message but got number");
  refuse(chat, request({{{"role", "assistant"}, {"content", ordered_json::array()}}}), "expected a block of text");
  refuse(ChatTemplate("content", {}), request(hello()), "it leaves it out or changes it");
  refuse(ChatTemplate("x", {}), request(hello()), "expected a field that the chat template reads");
  ChatRequest both = request(hello());
  both.add_generation_prompt = true;
  refuse(chat, both, "either add_generation_prompt or continue_final_message but got both");
}

TEST(ChatTemplate, RefusesRequestsThatDoNotFit) {
  const ChatTemplate chat(kLines, {{"bos_token", ""}, {"eos_token", ""}});
  const auto refuse = [&](const ChatRequest& what, const std::string& why) {
    expect_error(ErrorCode::invalid_argument, why, [&] { chat.render(what); });
  };
  refuse(request(nullptr), "expected messages as an array but got null");
  refuse(request(ordered_json::array()), "expected at least one message but got none");
  refuse(request({"text"}), "expected objects in messages but got string");
  ChatRequest tools = request(hello());
  tools.tools = ordered_json::object();
  refuse(tools, "expected tools as an array but got object");
  ChatRequest variables = request(hello());
  variables.variables = 1;
  refuse(variables, "expected variables as an object but got number");
}

TEST(ChatTemplate, RefusesConfigsThatAreNone) {
  const auto refuse = [](const std::string& json, ErrorCode code, const std::string& why) {
    expect_error(code, why, [&] { ChatTemplate::from_tokenizer_config(json); });
  };
  refuse("{", ErrorCode::corrupt_file, "expected JSON but got a syntax error at byte 2");
  refuse("[]", ErrorCode::corrupt_file, "expected an object but got array");
  refuse(std::string(100'000, '['), ErrorCode::corrupt_file, "expected at most 32 levels");
  refuse(R"({"chat_template": 5})", ErrorCode::corrupt_file,
         "expected chat_template as a string or a list of templates");
  refuse(R"({"chat_template": []})", ErrorCode::corrupt_file, "an empty list");
  refuse(R"({"chat_template": [{"name": "a"}]})", ErrorCode::corrupt_file, "with a string \"template\"");
  refuse(R"({"chat_template": "", "bos_token": 5})", ErrorCode::corrupt_file,
         "expected bos_token as a string but got number");
  refuse(R"({"chat_template": "{{"})", ErrorCode::invalid_argument, "line 1, column 1: expected \"}}\"");
}

}  // namespace
}  // namespace xlstm::text
