#include "apps/server/api/chat_request.h"

#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/engine/message_borders.h"

namespace xlstm::server::api {
namespace {

/// A text, or a list of {"type": "text", "text"}, as one text.
Json read_content(ObjectReader& message) {
  const Json* const content = message.value("content");
  if (content == nullptr) return nullptr;
  const std::string name = message.name("content");
  if (content->is_string()) return *content;
  if (!content->is_array()) refuse(name, "a text or a list of parts", *content);
  std::string text;
  for (std::size_t i = 0; i < content->size(); ++i) {
    ObjectReader part((*content)[i], name + "[" + std::to_string(i) + "]");
    const std::string type = part.required_text("type");
    if (type != "text" && type != "input_text" && type != "output_text") {
      throw ApiError(
          400, "unsupported_value", part.name("type"),
          part.name("type") + ": expected \"text\", which is all that this model reads, but got " + dump(type));
    }
    part.ignore({"annotations", "logprobs", "cache_control"});
    text += part.required_text("text");
    part.finish();
  }
  return text;
}

/// Clients send arguments as a text of JSON; templates print an object.
Json read_call(const Json& call, const std::string& name) {
  ObjectReader reader(call, name);
  reader.one_of("type", {"function"});
  Json made{{"type", "function"}};
  if (auto id = reader.text("id")) made["id"] = std::move(*id);
  const Json* const function = reader.object("function");
  if (function == nullptr) refuse(reader.name("function"), "an object", nullptr);
  ObjectReader inner(*function, reader.name("function"));
  made["function"]["name"] = inner.required_text("name");
  const Json* const arguments = inner.value("arguments");
  Json parsed = arguments == nullptr ? Json::object() : *arguments;
  if (parsed.is_string()) {
    Json inside = Json::parse(parsed.get_ref<const std::string&>(), nullptr, /*allow_exceptions=*/false);
    if (inside.is_object()) parsed = std::move(inside);
  }
  made["function"]["arguments"] = std::move(parsed);
  inner.finish();
  reader.ignore({"index"});
  reader.finish();
  return made;
}

Json read_message(const Json& message, const std::string& name) {
  ObjectReader reader(message, name);
  std::optional<std::string> role = reader.one_of("role", {"system", "developer", "user", "assistant", "tool"});
  if (!role) reader.required_text("role");
  Json made{{"role", *role == "developer" ? "system" : *role}};
  const Json content = read_content(reader);
  const Json* const calls = reader.array("tool_calls");
  if (content.is_null() && calls == nullptr) refuse(reader.name("content"), "a text", nullptr);
  made["content"] = content.is_null() ? Json("") : content;
  for (const char* field : {"name", "tool_call_id", "reasoning_content"}) {
    if (auto text = reader.text(field)) made[field] = std::move(*text);
  }
  if (calls != nullptr) {
    Json& list = made["tool_calls"] = Json::array();
    for (const Json& call : *calls) {
      list.push_back(read_call(call, reader.name("tool_calls[" + std::to_string(list.size()) + "]")));
    }
  }
  reader.ignore({"annotations"});
  reader.refuse_unsupported({"audio", "function_call", "refusal"});
  reader.finish();
  return made;
}

}  // namespace

Json read_messages(const Json& list, const std::string& name, const Limits& limits) {
  if (!list.is_array() || list.empty()) refuse(name, "a list of at least one message", list);
  if (list.size() > limits.messages) refuse_limit(422, name, limits.messages, "messages", list.size());
  Json made = Json::array();
  for (const Json& message : list) {
    made.push_back(read_message(message, name + "[" + std::to_string(made.size()) + "]"));
  }
  return made;
}

text::ChatRequest read_conversation(ObjectReader& body, const Limits& limits) {
  text::ChatRequest request;
  const Json* const messages = body.value("messages");
  if (messages == nullptr) {
    throw ApiError(400, "missing_parameter", "messages", "messages: expected a list of messages but got nothing");
  }
  request.messages = read_messages(*messages, "messages", limits);
  const bool goes_on = body.boolean("continue_final_message").value_or(false);
  request.add_generation_prompt = body.boolean("add_generation_prompt").value_or(!goes_on);
  if (goes_on && request.add_generation_prompt)
    refuse("continue_final_message", "no add_generation_prompt beside it", true);
  if (goes_on) request.continue_final_message = "content";
  if (const Json* const variables = body.object("chat_template_kwargs")) request.variables = *variables;
  return request;
}

std::string render(const Context& context, const text::ChatRequest& request) {
  const text::ChatTemplate* const chat = context.service.engine().chat_template();
  if (chat == nullptr) {
    throw ApiError(400, "no_chat_template", "messages",
                   "messages: expected a model with a chat template but " + context.options.model + " has none");
  }
  text::jinja::RenderOptions options;
  options.limits.output_bytes = context.options.limits.template_bytes;
  try {
    return chat->render(request, options);
  } catch (const Error& error) {
    throw ApiError(400, "template_error", "messages", error.what());
  }
}

void set_prompt(const Context& context, const text::ChatRequest& request, engine::Submission& submission) {
  const engine::Engine& engine = context.service.engine();
  std::vector<TokenId>& prompt = submission.request.prompt;
  prompt = encode_prompt(context, render(context, request), /*with_bos=*/true, "messages");
  submission.snapshots_at = engine::message_borders(engine, *engine.chat_template(), request, prompt);
}

bool begin_within(const KeptState& state, engine::Submission& submission) {
  std::vector<TokenId>& prompt = submission.request.prompt;
  const std::vector<TokenId>& read = state.start.ids;
  const bool all_read = read.size() == prompt.size();
  if (read.size() > prompt.size() || (all_read && state.start.snapshot.logits.empty()) ||
      !std::equal(read.begin(), read.end(), prompt.begin())) {
    return false;
  }
  prompt.erase(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(read.size()));
  submission.start = state.start;
  submission.request.history = read;
  if (all_read) submission.request.logits = state.start.snapshot.logits;
  submission.snapshots_at.clear();  // counted from the beginning, and for the prefix cache, which a start does not use
  return true;
}

}  // namespace xlstm::server::api
