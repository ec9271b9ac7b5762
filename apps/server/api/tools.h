// Tools that a model may call: what a request offers, and calls found in the text that comes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/server/api/json_reader.h"

namespace xlstm::server::api {

struct ToolUse {
  enum class Choice { none, automatic, enforced };
  Choice choice = Choice::none;
  Json tools;                      // for the template; null: none
  std::vector<std::string> names;  // that may be called
  bool parallel = true;            // more than one call in an answer
  std::string schema;              // of an enforced call: {"name", "arguments"}

  bool may_call() const noexcept { return choice != Choice::none; }
};

/// tools, tool_choice (none, auto, required, {"type": "function", "function": {"name"}}), parallel_tool_calls. Errors:
/// ApiError 400, 413, 422.
ToolUse read_tools(ObjectReader& body, const Limits& limits);

/// What a piece of text turns out to be.
struct AnswerPart {
  enum class Kind { content, call, arguments };
  Kind kind = Kind::content;
  std::string text;  // of a call: the tool's name; of arguments: JSON, to be added to those before
};

/// Finds calls in a text that comes in pieces. Understood are `{"name": ..., "arguments": {...}}` ("parameters" too) as
/// the whole text, a list of such objects, and each between <tool_call> and </tool_call>, with text around them. An
/// enforced call's arguments come as they are written; others when the call is whole, and what is none of an offered
/// tool is content.
class ToolCallParser {
 public:
  explicit ToolCallParser(const ToolUse& use);

  std::vector<AnswerPart> push(std::string_view text);
  /// What was held back.
  std::vector<AnswerPart> finish();
  bool called() const noexcept { return calls_ > 0; }

 private:
  void scan(std::vector<AnswerPart>& parts);
  bool scan_tag(std::vector<AnswerPart>& parts);
  void scan_enforced(std::vector<AnswerPart>& parts);
  void add_content(std::vector<AnswerPart>& parts, std::string_view text);
  bool add_calls(std::vector<AnswerPart>& parts, std::string_view json);

  std::vector<std::string> names_;
  bool enforced_, parallel_;
  std::string held_;      // not yet told
  bool started_ = false;  // there was content, or a tag
  bool in_tag_ = false;
  bool whole_ = false;  // the text begins as JSON does
  bool after_call_ = false;
  std::size_t calls_ = 0;
  // Of an enforced call.
  bool in_arguments_ = false, in_string_ = false, escaped_ = false;
  int depth_ = 0;
};

}  // namespace xlstm::server::api
