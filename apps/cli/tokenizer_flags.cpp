#include "apps/cli/tokenizer_flags.h"

#include <filesystem>
#include <iostream>

#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {

void add_tokenizer_flags(CLI::App& verb, TokenizerFlags& flags) {
  add_model_flag(verb, flags.model);
  verb.add_option("--tokenizer", flags.tokenizer, "A tokenizer.json instead of a model's")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->group("Model");
}

std::shared_ptr<const tokenizer::Tokenizer> load_tokenizer(const TokenizerFlags& flags) {
  if (!flags.tokenizer.empty()) return tokenizer::load_tokenizer(flags.tokenizer);
  const std::filesystem::path beside = std::filesystem::path(flags.model.model) / "tokenizer.json";
  if (!flags.model.model.empty() && std::filesystem::exists(beside)) return tokenizer::load_tokenizer(beside);
  const std::shared_ptr<const engine::Engine> engine = engine::Engine::load(load_options(flags.model));
  return {engine, &engine->tokenizer()};
}

void for_each_json_line(const std::function<nlohmann::json(const nlohmann::json& line, const std::string& where)>& f) {
  std::ios::sync_with_stdio(false);
  std::string line;
  for (std::size_t number = 1; read_line(line); ++number) {
    const std::string where = "standard input, line " + std::to_string(number);
    const nlohmann::json parsed = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (parsed.is_discarded()) {
      fail(ErrorCode::invalid_argument, where, "expected JSON but got '", line.substr(0, 40),
           line.size() > 40 ? "..." : "", "'");
    }
    print(f(parsed, where).dump() + "\n");
    if (std::cin.rdbuf()->in_avail() <= 0) flush_output();
  }
  flush_output();
}

}  // namespace xlstm::cli
