#include "xlstm/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>

#include "xlstm/base/error.h"
#include "xlstm/base/hash.h"
#include "xlstm/tokenizer/bpe_tokenizer.h"
#include "xlstm/tokenizer/strict_json.h"
#include "xlstm/tokenizer/utf8.h"

namespace xlstm::tokenizer {
namespace {

constexpr auto kBytes = [] {
  std::array<char, 256> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i);
  return bytes;
}();

class ByteTokenizer final : public Tokenizer {
 public:
  std::vector<TokenId> encode(std::string_view text) const override {
    std::vector<TokenId> ids(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) ids[i] = static_cast<unsigned char>(text[i]);
    return ids;
  }
  std::string_view token_bytes(TokenId id) const override {
    if (id < 0 || id > 255) fail(ErrorCode::invalid_argument, "tokenizer", "expected an id from 0 to 255 but got ", id);
    return {&kBytes[static_cast<std::size_t>(id)], 1};
  }
  std::size_t vocab_size() const noexcept override { return kBytes.size(); }
  std::optional<TokenId> find(std::string_view token) const override {
    return token.size() == 1 ? std::optional<TokenId>(static_cast<unsigned char>(token[0])) : std::nullopt;
  }
  bool is_special(TokenId) const noexcept override { return false; }
  std::string_view kind() const noexcept override { return "bytes"; }
  std::string fingerprint() const override { return hash_hex(std::string_view("xlstm bytes 1")); }
};

}  // namespace

std::string Tokenizer::decode(const std::vector<TokenId>& ids) const {
  std::string bytes;
  for (const TokenId id : ids) bytes += token_bytes(id);
  std::string text;
  text.reserve(bytes.size());
  append_lossy(bytes, true, text);
  return text;
}

std::unique_ptr<Tokenizer> parse_tokenizer(std::string_view json, std::string_view name) {
  return std::make_unique<BpeTokenizer>(read_spec(json, name), name);
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& tokenizer_json) {
  const std::string name = tokenizer_json.string();
  std::error_code error;
  if (!std::filesystem::is_regular_file(tokenizer_json, error)) {
    fail(ErrorCode::not_found, name, "expected a tokenizer.json but got no such file");
  }
  std::ifstream file(tokenizer_json, std::ios::binary);
  if (!file) fail(ErrorCode::not_found, name, "expected a file that can be read but opening it failed");
  std::string json;
  // One byte more than parsing accepts, so that it refuses what is longer.
  json.resize(std::min<std::uintmax_t>(kMaxJsonBytes + 1, std::filesystem::file_size(tokenizer_json, error)));
  file.read(json.data(), static_cast<std::streamsize>(json.size()));
  json.resize(static_cast<std::size_t>(file.gcount()));
  return parse_tokenizer(json, name);
}

std::unique_ptr<Tokenizer> make_byte_tokenizer() { return std::make_unique<ByteTokenizer>(); }

std::string StreamingDetokenizer::push(TokenId id) {
  pending_ += tokenizer_->token_bytes(id);
  std::string text;
  pending_.erase(0, append_lossy(pending_, false, text));
  return text;
}

std::string StreamingDetokenizer::finish() {
  std::string text;
  append_lossy(pending_, true, text);
  pending_.clear();
  return text;
}

}  // namespace xlstm::tokenizer
