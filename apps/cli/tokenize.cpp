// xlstm tokenize and xlstm detokenize: text to ids and back, one JSON value a line.
#include <memory>

#include "apps/cli/numbers.h"
#include "apps/cli/tokenizer_flags.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

using nlohmann::json;

int tokenize(const TokenizerFlags& flags) {
  const auto tokenizer = load_tokenizer(flags);
  for_each_json_line([&](const json& line, const std::string& where) -> json {
    if (!line.is_string())
      fail(ErrorCode::invalid_argument, where, "expected a JSON string but got ", line.type_name());
    return tokenizer->encode(line.get_ref<const std::string&>());
  });
  return 0;
}

TokenId to_token_id(const json& element, std::size_t vocab_size, const std::string& where) {
  const bool good = element.is_number_unsigned() && element.get<std::uint64_t>() < vocab_size;
  if (!good) {
    fail(ErrorCode::invalid_argument, where, "expected ids from 0 to ", vocab_size - 1, " but got ",
         element.dump().substr(0, 40));
  }
  return element.get<TokenId>();
}

int detokenize(const TokenizerFlags& flags) {
  const auto tokenizer = load_tokenizer(flags);
  for_each_json_line([&](const json& line, const std::string& where) -> json {
    if (!line.is_array()) {
      fail(ErrorCode::invalid_argument, where, "expected a JSON array of ids but got ", line.type_name());
    }
    std::vector<TokenId> ids;
    for (const json& element : line) ids.push_back(to_token_id(element, tokenizer->vocab_size(), where));
    return tokenizer->decode(ids);
  });
  return 0;
}

}  // namespace

void add_tokenize(CLI::App& program, Action& action) {
  const auto flags = std::make_shared<TokenizerFlags>();
  CLI::App& verb = *program.add_subcommand(
      "tokenize", "Text to ids: a JSON string a line in, a JSON array of ids a line out (no BOS added)");
  add_tokenizer_flags(verb, *flags);
  verb.footer(
      "Examples:\n"
      "  echo '\"To be, or not to be\"' | xlstm tokenize\n"
      "  xlstm tokenize --tokenizer tokenizer.json < strings.jsonl > ids.jsonl");
  verb.final_callback([flags, &action] { action = [flags] { return tokenize(*flags); }; });
}

void add_detokenize(CLI::App& program, Action& action) {
  const auto flags = std::make_shared<TokenizerFlags>();
  CLI::App& verb = *program.add_subcommand(
      "detokenize", "Ids to text: a JSON array of ids a line in, a JSON string a line out (special tokens kept)");
  add_tokenizer_flags(verb, *flags);
  verb.footer(
      "Examples:\n"
      "  echo '[0, 17, 4]' | xlstm detokenize\n"
      "  xlstm tokenize --model DIR < strings.jsonl | xlstm detokenize --model DIR");
  verb.final_callback([flags, &action] { action = [flags] { return detokenize(*flags); }; });
}

}  // namespace xlstm::cli
