#include "apps/server/api/tools.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

namespace xlstm::server::api {
namespace {

using Kind = AnswerPart::Kind;

constexpr std::string_view kOpen = "<tool_call>", kClose = "</tool_call>", kBlanks = " \t\r\n";

/// Name and arguments of one call, if it is one of these tools.
std::optional<std::pair<std::string, std::string>> as_call(const Json& value, const std::vector<std::string>& names) {
  if (!value.is_object() || !value.contains("name") || !value["name"].is_string()) return std::nullopt;
  const std::string name = value["name"].get<std::string>();
  if (std::find(names.begin(), names.end(), name) == names.end()) return std::nullopt;
  for (const char* field : {"arguments", "parameters"}) {
    if (value.contains(field) && value[field].is_object()) return std::pair(name, dump(value[field]));
  }
  return std::nullopt;
}

/// How much of the end of `text` may yet become `word`.
std::size_t held_back(std::string_view text, std::string_view word) {
  for (std::size_t size = std::min(text.size(), word.size() - 1); size > 0; --size) {
    if (text.substr(text.size() - size) == word.substr(0, size)) return size;
  }
  return 0;
}

/// A tool's function: its name and the schema of its arguments.
struct Function {
  std::string name;
  Json parameters;
};

Function read_function(const Json& tool, const std::string& path) {
  ObjectReader reader(tool, path);
  if (!reader.one_of("type", {"function"})) reader.required_text("type");
  const Json* const inner = reader.object("function");
  if (inner == nullptr) refuse(reader.name("function"), "an object", nullptr);
  ObjectReader function(*inner, reader.name("function"));
  Function made{function.required_text("name"), Json{{"type", "object"}}};
  function.text("description");
  if (const Json* const schema = function.object("parameters")) {
    made.parameters = *schema;
    if (!schema->contains("type")) made.parameters["type"] = "object";
    if (made.parameters["type"] != "object") {
      refuse(function.name("parameters.type"), "\"object\"", made.parameters["type"]);
    }
  }
  function.boolean("strict");
  function.finish();
  reader.finish();
  return made;
}

std::string call_schema(const std::vector<Function>& functions) {
  Json any = Json::array();
  for (const Function& function : functions) {
    any.push_back({{"type", "object"},
                   {"properties", {{"name", {{"const", function.name}}}, {"arguments", function.parameters}}},
                   {"required", {"name", "arguments"}}});
  }
  return dump(any.size() == 1 ? any.front() : Json{{"anyOf", any}});
}

/// The name that tool_choice asks for, "" for any; sets the choice.
std::string read_choice(ObjectReader& body, ToolUse& use) {
  const Json* const choice = body.value("tool_choice");
  if (choice == nullptr) return "";
  if (choice->is_object()) {
    ObjectReader reader(*choice, "tool_choice");
    if (!reader.one_of("type", {"function"})) reader.required_text("type");
    const Json* const function = reader.object("function");
    if (function == nullptr) refuse("tool_choice.function", "an object", nullptr);
    ObjectReader inner(*function, "tool_choice.function");
    std::string name = inner.required_text("name");
    inner.finish();
    reader.finish();
    use.choice = ToolUse::Choice::enforced;
    return name;
  }
  const std::string word = *body.one_of("tool_choice", {"none", "auto", "required"});
  use.choice = word == "none"   ? ToolUse::Choice::none
               : word == "auto" ? ToolUse::Choice::automatic
                                : ToolUse::Choice::enforced;
  return "";
}

}  // namespace

ToolUse read_tools(ObjectReader& body, const Limits& limits) {
  ToolUse use;
  const Json* const tools = body.array("tools");
  const bool offered = tools != nullptr && !tools->empty();
  if (offered) use.choice = ToolUse::Choice::automatic;
  const std::string wanted = read_choice(body, use);
  use.parallel = body.boolean("parallel_tool_calls").value_or(true);
  if (!offered) {
    if (use.choice == ToolUse::Choice::enforced)
      refuse("tool_choice", "\"tools\" beside it", *body.value("tool_choice"));
    use.choice = ToolUse::Choice::none;
    return use;
  }
  if (tools->size() > limits.tools) refuse_limit(422, "tools", limits.tools, "tools", tools->size());
  if (const std::size_t bytes = dump(*tools).size(); bytes > limits.schema_bytes) {
    refuse_limit(413, "tools", limits.schema_bytes, "bytes", bytes);
  }
  std::vector<Function> functions;
  for (std::size_t i = 0; i < tools->size(); ++i) {
    functions.push_back(read_function((*tools)[i], "tools[" + std::to_string(i) + "]"));
  }
  if (!use.may_call()) return use;
  use.tools = *tools;
  if (!wanted.empty()) {
    std::erase_if(functions, [&](const Function& function) { return function.name != wanted; });
    if (functions.empty()) refuse("tool_choice.function.name", "one of the tools", wanted);
  }
  for (const Function& function : functions) use.names.push_back(function.name);
  if (use.choice == ToolUse::Choice::enforced) use.schema = call_schema(functions);
  return use;
}

ToolCallParser::ToolCallParser(const ToolUse& use)
    : names_(use.names), enforced_(use.choice == ToolUse::Choice::enforced), parallel_(use.parallel) {}

std::vector<AnswerPart> ToolCallParser::push(std::string_view text) {
  std::vector<AnswerPart> parts;
  held_ += text;
  scan(parts);
  return parts;
}

void ToolCallParser::scan(std::vector<AnswerPart>& parts) {
  if (enforced_) return scan_enforced(parts);
  if (!started_ && !whole_) {
    const std::size_t begin = held_.find_first_not_of(kBlanks);
    if (begin == std::string::npos) return;
    whole_ = held_[begin] == '{' || held_[begin] == '[';
  }
  while (!whole_ && scan_tag(parts)) {
  }
}

/// False: nothing more can be told.
bool ToolCallParser::scan_tag(std::vector<AnswerPart>& parts) {
  if (in_tag_) {
    const std::size_t end = held_.find(kClose);
    if (end == std::string::npos) return false;
    in_tag_ = false;
    const std::string inside = held_.substr(0, end);
    if (!add_calls(parts, inside)) add_content(parts, std::string(kOpen) + inside + std::string(kClose));
    held_.erase(0, end + kClose.size());
    return true;
  }
  const std::size_t begin = held_.find(kOpen);
  const bool found = begin != std::string::npos;
  const std::size_t told = found ? begin : held_.size() - held_back(held_, kOpen);
  const std::string before = held_.substr(0, told);
  const bool nobodys = after_call_ && before.find_first_not_of(kBlanks) == std::string::npos;  // what is between calls
  if (nobodys && !found) return false;
  if (!nobodys && told > 0) add_content(parts, before);
  held_.erase(0, told + (found ? kOpen.size() : 0));
  in_tag_ = found;
  started_ = started_ || found;
  return found;
}

void ToolCallParser::add_content(std::vector<AnswerPart>& parts, std::string_view text) {
  started_ = true;
  after_call_ = false;
  parts.push_back({Kind::content, std::string(text)});
}

bool ToolCallParser::add_calls(std::vector<AnswerPart>& parts, std::string_view json) {
  const Json value = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  const Json list = value.is_array() ? value : Json::array({value});
  std::vector<std::pair<std::string, std::string>> calls;
  for (const Json& item : list) {
    auto call = as_call(item, names_);
    if (!call) return false;
    calls.push_back(std::move(*call));
  }
  for (auto& [name, arguments] : calls) {
    if (calls_ > 0 && !parallel_) break;
    ++calls_;
    parts.push_back({Kind::call, std::move(name)});
    parts.push_back({Kind::arguments, std::move(arguments)});
  }
  after_call_ = !calls.empty();
  return after_call_;
}

/// The constraint has fixed the form: a name without escapes that needs none, then the arguments.
void ToolCallParser::scan_enforced(std::vector<AnswerPart>& parts) {
  if (calls_ == 0) {
    const std::size_t key = held_.find("\"arguments\"");
    const std::size_t colon = key == std::string::npos ? key : held_.find(':', key);
    const std::size_t begin = colon == std::string::npos ? colon : held_.find_first_not_of(kBlanks, colon + 1);
    if (begin == std::string::npos) return;
    const Json head = Json::parse(held_.substr(0, begin) + "null}", nullptr, /*allow_exceptions=*/false);
    if (!head.is_object() || !head.contains("name")) return;
    ++calls_;
    in_arguments_ = true;
    parts.push_back({Kind::call, head["name"].get<std::string>()});
    held_.erase(0, begin);
  }
  if (!in_arguments_) return held_.clear();
  std::size_t at = 0;
  for (; at < held_.size() && in_arguments_; ++at) {
    const char c = held_[at];
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
    } else {
      in_string_ = c == '"';
      depth_ += (c == '{' || c == '[') - (c == '}' || c == ']');
      in_arguments_ = depth_ > 0;
    }
  }
  if (at > 0) parts.push_back({Kind::arguments, held_.substr(0, at)});
  held_.erase(0, at);
}

std::vector<AnswerPart> ToolCallParser::finish() {
  std::vector<AnswerPart> parts;
  if (enforced_) {
    if (calls_ == 0 && !held_.empty()) parts.push_back({Kind::content, held_});
  } else if (whole_ && add_calls(parts, held_)) {
    // The text was a call.
  } else if (in_tag_ || (!after_call_ ? !held_.empty() : held_.find_first_not_of(kBlanks) != std::string::npos)) {
    add_content(parts, (in_tag_ ? std::string(kOpen) : std::string()) + held_);
  }
  held_.clear();
  return parts;
}

}  // namespace xlstm::server::api
