// Which tokenizer tokenize and detokenize use, and how they walk through standard input.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/cli/flags.h"

namespace xlstm::cli {

struct TokenizerFlags {
  ModelFlags model;
  std::string tokenizer;  // a tokenizer.json; empty: the model's
};
void add_tokenizer_flags(CLI::App& verb, TokenizerFlags& flags);

/// A tokenizer without the weights beside it, where it has a file of its own.
std::shared_ptr<const tokenizer::Tokenizer> load_tokenizer(const TokenizerFlags& flags);

/// Calls f for every line of standard input, parsed, and prints what it returns as a line. Output follows input line by
/// line, so that the program can stand in the middle of a conversation. Errors: invalid_argument naming the line.
void for_each_json_line(const std::function<nlohmann::json(const nlohmann::json& line, const std::string& where)>& f);

}  // namespace xlstm::cli
