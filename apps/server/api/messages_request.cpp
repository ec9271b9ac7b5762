#include "apps/server/api/messages_request.h"

#include <utility>

#include "apps/server/api/chat.h"
#include "apps/server/api/sampling_fields.h"

namespace xlstm::server::api {
namespace {

const std::vector<std::string> kUnsupported = {"container",     "mcp_servers",   "context_management", "output_config",
                                               "output_format", "inference_geo", "cache_control",      "speed"};

[[noreturn]] void refuse_block(const std::string& name, const std::string& type) {
  throw ApiError(400, "unsupported_value", name,
                 name + ": expected a block that this model reads but got " + dump(type));
}

/// A text, or blocks of text, as one text.
std::string read_text(const Json& content, const std::string& name) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) refuse(name, "a text or a list of blocks", content);
  std::string text;
  for (std::size_t i = 0; i < content.size(); ++i) {
    ObjectReader block(content[i], name + "[" + std::to_string(i) + "]");
    const std::string type = block.required_text("type");
    if (type != "text") refuse_block(block.name("type"), type);
    block.ignore({"cache_control", "citations"});
    text += block.required_text("text");
    block.finish();
  }
  return text;
}

/// The parts of one message, as chats have them: a text, calls, and results, each of which is a message of its own.
struct Blocks {
  std::string text;
  Json calls = Json::array(), results = Json::array();
};

void read_block(ObjectReader block, Blocks& blocks) {
  const std::string type = block.required_text("type");
  block.ignore({"cache_control", "citations"});
  if (type == "text") {
    blocks.text += block.required_text("text");
  } else if (type == "tool_use") {
    const Json* const input = block.object("input");
    blocks.calls.push_back(
        {{"type", "function"},
         {"id", block.required_text("id")},
         {"function",
          {{"name", block.required_text("name")}, {"arguments", input == nullptr ? Json::object() : *input}}}});
  } else if (type == "tool_result") {
    const Json* const content = block.value("content");
    block.boolean("is_error");  // its content says what went wrong
    blocks.results.push_back({{"role", "tool"},
                              {"tool_call_id", block.required_text("tool_use_id")},
                              {"content", content == nullptr ? "" : read_text(*content, block.name("content"))}});
  } else {
    refuse_block(block.name("type"), type);
  }
  block.finish();
}

void read_message(const Json& message, const std::string& name, Json& conversation) {
  ObjectReader reader(message, name);
  const auto role = reader.one_of("role", {"user", "assistant"});
  if (!role) reader.required_text("role");
  const Json* const content = reader.value("content");
  if (content == nullptr) refuse(reader.name("content"), "a text or a list of blocks", nullptr);
  reader.finish();
  Blocks blocks;
  if (content->is_array()) {
    for (std::size_t i = 0; i < content->size(); ++i) {
      read_block(ObjectReader((*content)[i], reader.name("content") + "[" + std::to_string(i) + "]"), blocks);
    }
  } else {
    blocks.text = read_text(*content, reader.name("content"));
  }
  for (Json& result : blocks.results) conversation.push_back(std::move(result));
  if (blocks.text.empty() && blocks.calls.empty() && !blocks.results.empty()) return;
  Json made{{"role", *role}, {"content", blocks.text}};
  if (!blocks.calls.empty()) made["tool_calls"] = std::move(blocks.calls);
  conversation.push_back(std::move(made));
}

text::ChatRequest read_talk(ObjectReader& body, const Limits& limits) {
  text::ChatRequest request;
  request.messages = Json::array();
  if (const Json* const system = body.value("system")) {
    request.messages.push_back({{"role", "system"}, {"content", read_text(*system, "system")}});
  }
  const Json* const messages = body.array("messages");
  if (messages == nullptr || messages->empty()) {
    refuse("messages", "a list of at least one message", messages == nullptr ? Json(nullptr) : *messages);
  }
  if (messages->size() > limits.messages) refuse_limit(422, "messages", limits.messages, "messages", messages->size());
  for (std::size_t i = 0; i < messages->size(); ++i) {
    read_message((*messages)[i], "messages[" + std::to_string(i) + "]", request.messages);
  }
  const Json& last = request.messages.back();
  const bool goes_on = last["role"] == "assistant" && !last.contains("tool_calls");
  if (goes_on) request.continue_final_message = "content";
  request.add_generation_prompt = !goes_on;
  return request;
}

/// In the form of chats.
Json chat_tools(ObjectReader& body) {
  Json made = Json::object();
  if (const Json* const tools = body.array("tools")) {
    Json& list = made["tools"] = Json::array();
    for (const Json& tool : *tools) {
      ObjectReader reader(tool, "tools[" + std::to_string(list.size()) + "]");
      reader.one_of("type", {"custom"});
      reader.ignore({"cache_control"});
      Json function{{"name", reader.required_text("name")}};
      if (auto description = reader.text("description")) function["description"] = std::move(*description);
      const Json* const schema = reader.object("input_schema");
      if (schema == nullptr) refuse(reader.name("input_schema"), "an object", nullptr);
      function["parameters"] = *schema;
      reader.finish();
      list.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
  }
  const Json* const choice = body.object("tool_choice");
  if (choice == nullptr) return made;
  ObjectReader reader(*choice, "tool_choice");
  const auto type = reader.one_of("type", {"auto", "any", "tool", "none"});
  if (!type) reader.required_text("type");
  made["parallel_tool_calls"] = !reader.boolean("disable_parallel_tool_use").value_or(false);
  made["tool_choice"] = *type == "any" ? Json("required") : Json(*type);
  if (*type == "tool") {
    made["tool_choice"] = {{"type", "function"}, {"function", {{"name", reader.required_text("name")}}}};
  }
  reader.finish();
  return made;
}

ToolUse read_message_tools(ObjectReader& body, const Limits& limits) {
  const Json converted = chat_tools(body);
  ObjectReader reader(converted);
  return read_tools(reader, limits);
}

void read_defaults(ObjectReader& body) {
  body.refuse_unsupported(kUnsupported);
  body.ignore({"metadata"});
  body.one_of("service_tier", {"auto", "standard_only"});
  if (const Json* const thinking = body.object("thinking")) {
    ObjectReader reader(*thinking, "thinking");
    reader.one_of("type", {"disabled"});
    reader.finish();
  }
}

}  // namespace

MessagesRequest read_messages_request(const Json& json, Context& context) {
  ObjectReader body(json);
  check_model(body, context);
  read_defaults(body);
  const Limits& limits = context.options.limits;
  MessagesRequest made;
  generation::Request& request = made.submission.request;
  if (!body.has("max_tokens")) {
    throw ApiError(400, "missing_parameter", "max_tokens", "max_tokens: expected a number of tokens but got nothing");
  }
  request.max_tokens = read_max_tokens(body, "max_tokens", 0, limits);
  made.stream = body.boolean("stream").value_or(false);
  read_sampling(body, context, request);
  read_stop_strings(body, "stop_sequences", limits, request);
  made.tools = read_message_tools(body, limits);
  text::ChatRequest conversation = read_talk(body, limits);
  body.finish();
  set_chat_prompt(context, std::move(conversation), made.tools, made.submission);
  return made;
}

std::vector<TokenId> read_counted_messages(const Json& json, const Context& context) {
  ObjectReader body(json);
  check_model(body, context);
  read_defaults(body);
  const ToolUse tools = read_message_tools(body, context.options.limits);
  text::ChatRequest conversation = read_talk(body, context.options.limits);
  body.finish();
  engine::Submission submission;
  set_chat_prompt(context, std::move(conversation), tools, submission);
  return submission.request.prompt;
}

}  // namespace xlstm::server::api
