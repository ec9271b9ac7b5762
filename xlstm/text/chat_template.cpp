#include "xlstm/text/chat_template.h"

#include <initializer_list>

#include "xlstm/base/error.h"
#include "xlstm/text/continue_final_message.h"

namespace xlstm::text {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kWhere = "chat template";

// An array of objects; null as well if `optional`.
void check_objects(const ordered_json& array, std::string_view name, bool optional) {
  if (array.is_null() && optional) return;
  if (!array.is_array()) {
    fail(ErrorCode::invalid_argument, kWhere, "expected ", name, " as an array but got ", array.type_name());
  }
  for (const ordered_json& item : array) {
    if (!item.is_object()) {
      fail(ErrorCode::invalid_argument, kWhere, "expected objects in ", name, " but got ", item.type_name());
    }
  }
}

// Templates handle a field that is missing, but print one that is null.
ordered_json without_nulls(const ordered_json& message) {
  ordered_json result = ordered_json::object();
  for (const auto& [key, value] : message.items()) {
    if (!value.is_null()) result[key] = value;
  }
  return result;
}

// Reasoning under the name that most templates read, and under the one that those of gpt-oss read.
ordered_json with_reasoning(ordered_json message) {
  for (const std::string_view field : kReasoningFields) {
    const auto found = message.find(std::string(field));
    if (found == message.end()) continue;
    const ordered_json reasoning = *found;
    ordered_json result = {{"thinking", reasoning}};
    for (const auto& [key, value] : message.items()) result[key] = value;
    result["reasoning_content"] = reasoning;
    return result;
  }
  return message;
}

ordered_json prepare_messages(const ordered_json& messages) {
  check_objects(messages, "messages", false);
  if (messages.empty()) fail(ErrorCode::invalid_argument, kWhere, "expected at least one message but got none");
  ordered_json result = ordered_json::array();
  for (const ordered_json& message : messages) result.push_back(with_reasoning(without_nulls(message)));
  return result;
}

void add_variables(ordered_json& variables, const ordered_json& further) {
  if (further.is_null()) return;
  if (!further.is_object()) {
    fail(ErrorCode::invalid_argument, kWhere, "expected variables as an object but got ", further.type_name());
  }
  for (const auto& [name, value] : further.items()) {
    for (const std::string_view reserved : {"messages", "tools", "documents", "add_generation_prompt"}) {
      if (name == reserved) {
        fail(ErrorCode::invalid_argument, kWhere, "expected a variable of another name than ", reserved);
      }
    }
    variables[name] = value;
  }
}

}  // namespace

ChatTemplate::ChatTemplate(std::string_view source, ordered_json special_tokens)
    : special_tokens_(std::move(special_tokens)) {
  add("", source);
}

void ChatTemplate::add(const std::string& name, std::string_view source) {
  templates_.insert_or_assign(name, Named{std::string(source), jinja::Template::parse(source)});
}

const ChatTemplate::Named& ChatTemplate::choose(const ChatRequest& request) const {
  const auto find = [this](const std::string& name) {
    const auto found = templates_.find(name);
    return found == templates_.end() ? nullptr : &found->second;
  };
  const Named* chosen = nullptr;
  if (!request.template_name.empty()) {
    chosen = find(request.template_name);
  } else {
    chosen = find("");
    if (chosen == nullptr && !request.tools.is_null()) chosen = find("tool_use");
    if (chosen == nullptr) chosen = find("default");
  }
  if (chosen != nullptr) return *chosen;
  std::string names;
  for (const auto& [name, named] : templates_) {
    if (!name.empty()) names += (names.empty() ? "" : ", ") + name;
  }
  fail(ErrorCode::invalid_argument, kWhere, "expected the name of one of the model's templates (", names, ") but got ",
       request.template_name.empty() ? "none, and none is the default" : "another");
}

std::string ChatTemplate::render(const ChatRequest& request, const jinja::RenderOptions& options) const {
  if (request.add_generation_prompt && !request.continue_final_message.empty()) {
    fail(ErrorCode::invalid_argument, kWhere,
         "expected either add_generation_prompt or continue_final_message but got both");
  }
  const Named& chosen = choose(request);
  check_objects(request.tools, "tools", true);
  check_objects(request.documents, "documents", true);
  ordered_json messages = prepare_messages(request.messages);
  std::optional<FinalMessage> final_message;
  if (!request.continue_final_message.empty()) {
    final_message.emplace(messages, request.continue_final_message, chosen.source);
  }
  ordered_json variables = special_tokens_;
  add_variables(variables, request.variables);
  variables["messages"] = std::move(messages);
  variables["tools"] = request.tools;
  variables["documents"] = request.documents;
  variables["add_generation_prompt"] = request.add_generation_prompt;
  const std::string rendered = chosen.parsed.render(variables, options);
  return final_message ? final_message->cut(rendered) : rendered;
}

}  // namespace xlstm::text
