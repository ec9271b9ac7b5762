#include "apps/server/api/responses_request.h"

#include <utility>

#include "apps/server/api/chat.h"
#include "apps/server/api/chat_request.h"
#include "apps/server/api/sampling_fields.h"

namespace xlstm::server::api {
namespace {

const std::vector<std::string> kUnsupported = {"background", "conversation", "context_management", "max_tool_calls",
                                               "prompt",     "reasoning",    "top_logprobs",       "moderation"};

/// What is asked for happens anyway.
void read_defaults(ObjectReader& body) {
  body.refuse_unsupported(kUnsupported);
  body.ignore({"user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"});
  body.one_of("service_tier", {"auto", "default"});
  body.one_of("truncation", {"disabled"});
  const Json* const include = body.array("include");
  if (include != nullptr && !include->empty()) refuse("include", "an empty list", *include);
  if (const Json* const options = body.object("stream_options")) {
    ObjectReader reader(*options, "stream_options");
    reader.ignore({"include_obfuscation"});
    reader.finish();
  }
}

/// A call or its output, as a message.
Json read_call_item(ObjectReader& item, const std::string& type) {
  const std::string id = item.required_text("call_id");
  if (type == "function_call_output") {
    return {{"role", "tool"}, {"tool_call_id", id}, {"content", item.required_text("output")}};
  }
  const Json function{{"name", item.required_text("name")}, {"arguments", item.required_text("arguments")}};
  return {{"role", "assistant"},
          {"tool_calls", Json::array({{{"type", "function"}, {"id", id}, {"function", function}}})}};
}

/// Items of the input as messages, not yet checked.
Json read_input(const Json& input) {
  if (input.is_string()) return Json::array({{{"role", "user"}, {"content", input}}});
  if (!input.is_array() || input.empty()) refuse("input", "a text or a list of items", input);
  Json messages = Json::array();
  for (const Json& value : input) {
    ObjectReader item(value, "input[" + std::to_string(messages.size()) + "]");
    const std::string type =
        item.one_of("type", {"message", "function_call", "function_call_output"}).value_or("message");
    item.ignore({"id", "status"});
    if (type == "message") {
      Json message{{"role", item.required_text("role")}};
      if (const Json* const content = item.value("content")) message["content"] = *content;
      messages.push_back(std::move(message));
    } else {
      messages.push_back(read_call_item(item, type));
    }
    item.finish();
  }
  return messages;
}

/// In the form of chats: {"type", "function": {...}}.
Json chat_tools(ObjectReader& body) {
  Json made = Json::object();
  if (const Json* const tools = body.array("tools")) {
    Json& list = made["tools"] = Json::array();
    for (const Json& tool : *tools) {
      const std::string name = "tools[" + std::to_string(list.size()) + "]";
      ObjectReader reader(tool, name);
      if (!reader.one_of("type", {"function"})) reader.required_text("type");
      Json function = tool;
      function.erase("type");
      list.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
  }
  if (const Json* const choice = body.value("tool_choice")) {
    made["tool_choice"] = *choice;
    if (choice->is_object() && choice->contains("name")) {
      made["tool_choice"] = {{"type", choice->value("type", Json())}, {"function", {{"name", (*choice)["name"]}}}};
    }
  }
  if (const Json* const parallel = body.value("parallel_tool_calls")) made["parallel_tool_calls"] = *parallel;
  return made;
}

/// text.format as the response_format of chats, whose schema lies one level deeper.
void read_text_format(ObjectReader& body, const Context& context, generation::Request& request) {
  const Json* const text = body.object("text");
  if (text == nullptr) return;
  ObjectReader reader(*text, "text");
  const Json* const format = reader.object("format");
  reader.refuse_unsupported({"verbosity"});
  reader.finish();
  if (format == nullptr) return;
  Json converted{{"response_format", *format}};
  if (format->value("type", Json()) == "json_schema") {
    Json schema = *format;
    schema.erase("type");
    converted["response_format"] = {{"type", "json_schema"}, {"json_schema", std::move(schema)}};
  }
  ObjectReader chat(converted);
  read_constraint(chat, context, request);
}

Json repeated(const Json& body, const ResponsesRequest& request) {
  const auto or_else = [&](const char* field, Json fallback) {
    const auto found = body.find(field);
    return found == body.end() || found->is_null() ? fallback : *found;
  };
  const sampling::SamplingParams& sampling = request.submission.request.sampling;
  return {{"instructions", or_else("instructions", nullptr)},
          {"max_output_tokens", or_else("max_output_tokens", nullptr)},
          {"metadata", or_else("metadata", Json::object())},
          {"parallel_tool_calls", request.tools.parallel},
          {"previous_response_id", or_else("previous_response_id", nullptr)},
          {"store", request.store},
          {"temperature", sampling.temperature},
          {"text", or_else("text", {{"format", {{"type", "text"}}}})},
          {"tool_choice", or_else("tool_choice", "auto")},
          {"tools", or_else("tools", Json::array())},
          {"top_p", sampling.top_p},
          {"truncation", "disabled"}};
}

}  // namespace

ResponsesRequest read_responses_request(const Json& json, Context& context) {
  ObjectReader body(json);
  check_model(body, context);
  read_defaults(body);
  const Limits& limits = context.options.limits;
  ResponsesRequest made;
  generation::Request& request = made.submission.request;
  made.stream = body.boolean("stream").value_or(false);
  made.store = body.boolean("store").value_or(true);
  body.object("metadata");
  request.max_tokens = read_max_tokens(body, "max_output_tokens", context.options.chat_max_tokens, limits);
  read_sampling(body, context, request);
  read_text_format(body, context, request);
  const Json tools = chat_tools(body);
  ObjectReader tool_fields(tools);
  made.tools = read_tools(tool_fields, limits);
  std::optional<KeptState> state;
  made.messages = Json::array();
  if (const auto previous = body.text("previous_response_id")) {
    state = context.states.get(*previous, "previous_response_id");
    if (!state->messages.is_array()) refuse("previous_response_id", "the id of a response", *previous);
    made.messages = state->messages;
  }
  const Json* const input = body.value("input");
  if (input == nullptr)
    throw ApiError(400, "missing_parameter", "input", "input: expected a text or items but got nothing");
  for (Json& message : read_messages(read_input(*input), "input", limits)) made.messages.push_back(std::move(message));
  if (made.messages.size() > limits.messages) {
    refuse_limit(422, "input", limits.messages, "messages of a conversation", made.messages.size());
  }
  text::ChatRequest conversation;
  conversation.add_generation_prompt = true;
  conversation.messages = Json::array();
  if (const auto instructions = body.text("instructions")) {
    conversation.messages.push_back({{"role", "system"}, {"content", *instructions}});
  }
  for (const Json& message : made.messages) conversation.messages.push_back(message);
  body.finish();
  set_chat_prompt(context, std::move(conversation), made.tools, made.submission);
  // Where other instructions or the template tell the beginning in another way, the prefix cache finds what it can.
  if (state) begin_within(*state, made.submission);
  made.echo = repeated(json, made);
  return made;
}

}  // namespace xlstm::server::api
