// The tokenizer that a tokenizer.json describes.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "xlstm/tokenizer/added_tokens.h"
#include "xlstm/tokenizer/bpe.h"
#include "xlstm/tokenizer/pre_tokenizer.h"
#include "xlstm/tokenizer/tokenizer.h"
#include "xlstm/tokenizer/word_table.h"

namespace xlstm::tokenizer {

/// Ids that can be looked up without making a string.
struct TextHash : std::hash<std::string_view> {
  using is_transparent = void;
};
using IdsByText = std::unordered_map<std::string, TokenId, TextHash, std::equal_to<>>;

/// Text -> added tokens in raw text -> NFC -> added tokens in normalised text -> pre-tokenizer -> words -> byte pairs.
/// Thread safety: immutable.
class BpeTokenizer final : public Tokenizer {
 public:
  /// Errors: unsupported or corrupt_file, opening with `name`, for what only shows when the spec is indexed.
  BpeTokenizer(const TokenizerSpec& spec, std::string_view name);

  std::vector<TokenId> encode(std::string_view text) const override;
  std::string_view token_bytes(TokenId id) const override;
  std::size_t vocab_size() const noexcept override { return bytes_.size(); }
  std::optional<TokenId> find(std::string_view token) const override;
  bool is_special(TokenId id) const noexcept override;
  std::string_view kind() const noexcept override { return "byte-level BPE"; }
  std::string fingerprint() const override { return fingerprint_; }

 private:
  void index_vocabulary(const TokenizerSpec& spec);
  void index_added_tokens(const TokenizerSpec& spec);
  WordTable one_token_words() const;
  void encode_raw(std::string_view text, std::vector<TokenId>& ids) const;
  void encode_word(std::string_view word, std::vector<TokenId>& ids) const;

  bool nfc_;
  bool ignore_merges_;
  std::string fingerprint_;
  PreTokenizer pre_tokenizer_;
  AddedTokenMatcher raw_added_;         // looked for before normalisation
  AddedTokenMatcher normalized_added_;  // and after
  std::vector<std::string> bytes_;      // by id: what the token stands for
  std::vector<bool> special_;           // by id
  IdsByText model_ids_;                 // by bytes: tokens that words can become
  IdsByText other_ids_;                 // added tokens, and tokens written outside the byte-level alphabet
  BytePairs pairs_;
  WordTable words_;
};

}  // namespace xlstm::tokenizer
