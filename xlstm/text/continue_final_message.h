// A prompt that ends inside the last message, so that the model goes on with it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace xlstm::text {

/// Fields under which a message's reasoning is passed; the first is the standard one.
inline constexpr std::string_view kReasoningFields[] = {"reasoning_content", "thinking", "reasoning"};

/// Marks the end of a message, and cuts the rendered text there.
class FinalMessage {
 public:
  /// Appends the mark to `field` (and to its other names) of the last of `messages`. Errors: invalid_argument if there
  /// is nothing to go on with, or if the template's source does not speak of the field.
  FinalMessage(nlohmann::ordered_json& messages, const std::string& field, const std::string& source);
  /// `rendered` up to the mark; without the blanks before it if the template strips those behind it. Errors:
  /// invalid_argument if the template left the message out.
  std::string cut(const std::string& rendered) const;

 private:
  void mark(nlohmann::ordered_json& value);
  void mark_last_block(nlohmann::ordered_json& blocks);

  std::string text_;  // of the message, without the mark
};

}  // namespace xlstm::text
