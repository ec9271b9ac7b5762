// A conversation as a file of messages, and what the model's chat template makes of it.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "xlstm/engine/engine.h"

namespace xlstm::cli {

/// Files of JSON: a list of messages, as [{"role": "user", "content": "..."}], and a list of tools.
struct MessagesFlags {
  std::string messages, tools;

  bool given() const noexcept { return !messages.empty(); }
};
void add_messages_flags(CLI::App& verb, MessagesFlags& flags);

/// Errors: unsupported when the model has none and no other was given.
const text::ChatTemplate& require_chat_template(const engine::Engine& engine, std::string_view where);
/// Errors: those of require_chat_template and ChatTemplate::render; not_found; invalid_argument for what is no JSON.
std::string render_messages(const engine::Engine& engine, const MessagesFlags& flags, bool add_generation_prompt);
/// Errors: not_found; invalid_argument naming the file for what is no JSON array.
nlohmann::ordered_json read_json_array(const std::string& path);

}  // namespace xlstm::cli
