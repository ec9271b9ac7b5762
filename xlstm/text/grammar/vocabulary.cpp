#include "xlstm/text/grammar/vocabulary.h"

#include "xlstm/base/error.h"

namespace xlstm::text::grammar {

Vocabulary::Vocabulary(std::span<const std::string_view> tokens) {
  ends_.push_back(0);
  for (const std::string_view bytes : tokens) {
    if (bytes.size() > kMaxTokenBytes) {
      fail(ErrorCode::invalid_argument, "vocabulary", "expected tokens of at most ", kMaxTokenBytes, " bytes but id ",
           ends_.size() - 1, " has ", bytes.size());
    }
    blob_ += bytes;
    ends_.push_back(blob_.size());
  }
  std::vector<TokenTrie::Token> short_tokens, long_tokens;
  for (std::size_t id = 0; id < size(); ++id) {
    const std::string_view token = bytes(static_cast<TokenId>(id));
    (token.size() <= kLongTokenBytes ? short_tokens : long_tokens).push_back({token, static_cast<std::uint32_t>(id)});
  }
  short_tokens_ = TokenTrie(std::move(short_tokens));
  long_tokens_ = TokenTrie(std::move(long_tokens));
}

std::string_view Vocabulary::bytes(TokenId id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= size()) {
    fail(ErrorCode::invalid_argument, "grammar", "expected a token id below ", size(), " but got ", id);
  }
  const auto i = static_cast<std::size_t>(id);
  return std::string_view(blob_).substr(ends_[i], ends_[i + 1] - ends_[i]);
}

}  // namespace xlstm::text::grammar
