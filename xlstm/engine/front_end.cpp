#include "xlstm/engine/front_end.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "xlstm/base/log.h"
#include "xlstm/checkpoint/json_document.h"

namespace xlstm::engine {
namespace {

using nlohmann::json;

std::string_view text_of(const checkpoint::Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data.data()), bytes.data.size()};
}

/// Room for many added tokens and a chat template; some published files pass 1 MiB.
constexpr std::size_t kMaxTokenizerConfigBytes = std::size_t{16} << 20;

/// eos_token is a string, or an object with "content"; absent and null mean none.
std::optional<std::string> eos_token_of(const checkpoint::FileSource& files) {
  const std::optional<checkpoint::Bytes> bytes = files.open("tokenizer_config.json");
  if (!bytes) return std::nullopt;
  const std::string name = files.description() + ": tokenizer_config.json";
  const json parsed = checkpoint::parse_json(bytes->data, name, kMaxTokenizerConfigBytes);
  json eos = parsed.value("eos_token", json());
  if (eos.is_object()) eos = eos.value("content", json());
  if (!eos.is_string()) return std::nullopt;
  return eos.get<std::string>();
}

}  // namespace

std::unique_ptr<tokenizer::Tokenizer> read_tokenizer(const checkpoint::FileSource& files) {
  const std::optional<checkpoint::Bytes> bytes = files.open("tokenizer.json");
  if (bytes) return tokenizer::parse_tokenizer(text_of(*bytes), files.description() + ": tokenizer.json");
  log(LogLevel::info, files.description() + " has no tokenizer.json: ids are bytes");
  return tokenizer::make_byte_tokenizer();
}

ChatFiles read_chat_files(const checkpoint::FileSource& files) {
  ChatFiles found;
  if (const auto bytes = files.open("tokenizer_config.json")) found.tokenizer_config = text_of(*bytes);
  if (const auto bytes = files.open("chat_template.jinja")) found.chat_template = text_of(*bytes);
  return found;
}

std::optional<text::ChatTemplate> parse_chat_template(const ChatFiles& files) {
  return text::ChatTemplate::from_tokenizer_config(files.tokenizer_config, files.chat_template);
}

std::shared_ptr<const text::grammar::Vocabulary> make_vocabulary(const tokenizer::Tokenizer& tokenizer) {
  std::vector<std::string_view> tokens(tokenizer.vocab_size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (!tokenizer.is_special(id)) tokens[i] = tokenizer.token_bytes(id);
  }
  return std::make_shared<const text::grammar::Vocabulary>(tokens);
}

std::vector<TokenId> config_stop_ids(const config::ModelConfig& config) {
  std::vector<TokenId> ids = config.eos_token_ids;
  std::erase_if(ids, [&](TokenId id) { return id < 0 || id >= config.vocab_size; });
  return ids;
}

std::vector<TokenId> default_stop_ids(const checkpoint::FileSource& files, const tokenizer::Tokenizer& tokenizer,
                                      const config::ModelConfig& config) {
  for (const std::string& token : {eos_token_of(files).value_or(""), std::string("<|endoftext|>")}) {
    const std::optional<TokenId> id = token.empty() ? std::nullopt : tokenizer.find(token);
    if (id) return {*id};
  }
  return config_stop_ids(config);
}

std::vector<TokenId> encode_prompt(std::string_view text, bool with_bos, const tokenizer::Tokenizer& tokenizer,
                                   const config::ModelConfig& config) {
  std::vector<TokenId> ids = tokenizer.encode(text);
  const bool wants_bos = config.bos_token_id && config.force_bos_token_insert && config.layout != "research";
  if (with_bos && wants_bos && (ids.empty() || ids.front() != *config.bos_token_id)) {
    ids.insert(ids.begin(), *config.bos_token_id);
  }
  return ids;
}

}  // namespace xlstm::engine
