// Flags for what is to be read: text, a file or ids.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/engine/engine.h"

namespace xlstm::cli {

struct PromptFlags {
  std::optional<std::string> prompt, prompt_file, prompt_ids;

  int count() const noexcept { return prompt.has_value() + prompt_file.has_value() + prompt_ids.has_value(); }
};
void add_prompt_flags(CLI::App& verb, PromptFlags& flags);

/// Either ids as they were given, or text, which the model's own rules turn into ids.
struct Prompt {
  std::vector<TokenId> ids;
  std::string text;

  /// with_bos: for text, where the model wants one.
  std::vector<TokenId> encode(const engine::Engine& engine, bool with_bos) const {
    return ids.empty() ? engine.encode(text, with_bos) : ids;
  }
};

/// Errors: invalid_argument naming `verb` unless one flag was given, with `hint` where none was; what reading gives.
Prompt read_prompt(const PromptFlags& flags, std::string_view verb, std::string_view hint);

}  // namespace xlstm::cli
