#include "xlstm/text/continue_final_message.h"

#include <algorithm>

#include "xlstm/base/error.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text {
namespace {

using nlohmann::ordered_json;

// As in transformers: a template may look at the text, so it is better the same.
constexpr std::string_view kMark = "CONTINUE_FINAL_MESSAGE_TAG ";
constexpr std::string_view kBareMark = kMark.substr(0, kMark.size() - 1);

constexpr std::string_view kWhere = "continue_final_message";

std::string_view strip(std::string_view text) { return jinja::strip_right(jinja::strip_left(text, nullptr), nullptr); }

}  // namespace

FinalMessage::FinalMessage(ordered_json& messages, const std::string& field, const std::string& source) {
  ordered_json& message = messages.back();
  if (!message.contains(field)) {
    fail(ErrorCode::invalid_argument, kWhere,
         "expected a field to continue in the last message but got none of that name");
  }
  std::vector<std::string> fields = {field};
  if (std::find(std::begin(kReasoningFields), std::end(kReasoningFields), field) != std::end(kReasoningFields)) {
    const ordered_json text = message[field];
    fields.clear();
    for (const std::string_view name : kReasoningFields) {
      const std::string key(name);
      if (message.contains(key) && message[key] == text) fields.push_back(key);
    }
  }
  const auto spoken_of = [&](const std::string& name) { return source.find(name) != std::string::npos; };
  if (std::none_of(fields.begin(), fields.end(), spoken_of)) {
    fail(ErrorCode::invalid_argument, kWhere, "expected a field that the chat template reads but got another");
  }
  for (const std::string& name : fields) mark(message[name]);
}

void FinalMessage::mark(ordered_json& value) {
  if (value.is_array()) return mark_last_block(value);
  if (!value.is_string()) {
    fail(ErrorCode::invalid_argument, kWhere, "expected text to continue in the last message but got ",
         value.type_name());
  }
  text_ = value.get<std::string>();
  value = text_ + std::string(kMark);
}

void FinalMessage::mark_last_block(ordered_json& blocks) {
  const auto has_text = [](const ordered_json& block) {
    return block.is_object() && block.contains("text") && block["text"].is_string();
  };
  const auto block = std::find_if(blocks.rbegin(), blocks.rend(), has_text);
  if (block == blocks.rend()) {
    fail(ErrorCode::invalid_argument, kWhere, "expected a block of text in the last message but got none");
  }
  mark((*block)["text"]);
}

std::string FinalMessage::cut(const std::string& rendered) const {
  const std::size_t place = rendered.rfind(kBareMark);
  if (place == std::string::npos || rendered.find(strip(text_)) == std::string::npos) {
    fail(ErrorCode::invalid_argument, kWhere,
         "expected the last message in the text that the chat template writes but it leaves it out or changes it");
  }
  const std::string_view before = std::string_view(rendered).substr(0, place);
  const bool keeps_blanks = std::string_view(rendered).substr(place, kMark.size()) == kMark;
  return std::string(keeps_blanks ? before : jinja::strip_right(before, nullptr));
}

}  // namespace xlstm::text
