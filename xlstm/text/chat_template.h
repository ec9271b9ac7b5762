// Messages of a conversation -> the text that a model was trained to read, by the model's own chat template.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "xlstm/text/jinja/template.h"

namespace xlstm::text {

/// One conversation and how it is to be rendered. A null array stands for none.
struct ChatRequest {
  nlohmann::ordered_json messages;   // objects, at least one
  nlohmann::ordered_json tools;      // JSON schemas of functions, or null
  nlohmann::ordered_json documents;  // objects, or null
  bool add_generation_prompt = false;
  /// The field of the last message ("content", "reasoning_content") that the answer goes on with: the text ends where
  /// it ends. Empty: none.
  std::string continue_final_message;
  /// Further variables, an object or null; they take the place of special tokens of the same name.
  nlohmann::ordered_json variables;
  /// Which of several templates; empty: "tool_use" when there are tools and such a template, or else "default".
  std::string template_name;
};

/// The chat templates of a model with its special tokens. Renders what `apply_chat_template` of Hugging Face
/// transformers 5.24 does: the template sees messages, tools, documents, add_generation_prompt, the special tokens and
/// the further variables; null fields of messages are dropped; reasoning is found under reasoning_content and thinking.
/// Immutable; render() may be called by many threads at a time.
class ChatTemplate {
 public:
  /// From the text of a tokenizer_config.json and, if there is one, of the chat_template.jinja beside it, which goes
  /// first. Nothing if neither has a template. Errors: corrupt_file when the config is no such file; invalid_argument
  /// when a template does not parse (see jinja::Template).
  static std::optional<ChatTemplate> from_tokenizer_config(std::string_view json,
                                                           std::optional<std::string_view> chat_template = {});
  /// One template; `special_tokens`: an object of strings ("bos_token": "<s>").
  ChatTemplate(std::string_view source, nlohmann::ordered_json special_tokens);

  /// Errors: invalid_argument for a request that does not fit, for what the template refuses by raise_exception() and
  /// for whatever goes wrong in it; the message then tells its line and column.
  std::string render(const ChatRequest& request, const jinja::RenderOptions& options = {}) const;

 private:
  struct Named {
    std::string source;
    jinja::Template parsed;
  };
  explicit ChatTemplate(nlohmann::ordered_json special_tokens) : special_tokens_(std::move(special_tokens)) {}
  void add(const std::string& name, std::string_view source);
  const Named& choose(const ChatRequest& request) const;

  std::map<std::string, Named> templates_;  // a lone one has the name ""
  nlohmann::ordered_json special_tokens_;
};

}  // namespace xlstm::text
