// Text <-> token ids.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/token_id.h"

namespace xlstm::tokenizer {

/// Immutable after loading; every method is safe from any thread.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Ids of UTF-8 text (ill-formed bytes encode as the bytes they are; of those, the ones that no UTF-8 contains and
  /// the vocabulary lacks encode as U+FFFD). Added tokens written in the text are parsed as such. No BOS is added.
  /// Memory is linear; so is time, but for a factor log n within one long word. Errors: invalid_argument for a word of
  /// 2 GiB, or when a file's own Split pattern exceeds the matcher's limits.
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;
  /// Bytes that one id stands for; "" for an id that has none. Special tokens give their text.
  /// Errors: invalid_argument for an id outside [0, vocab_size()).
  virtual std::string_view token_bytes(TokenId id) const = 0;
  /// Number of ids, added tokens included: ids at or beyond it are masked when sampling.
  virtual std::size_t vocab_size() const noexcept = 0;
  /// Id of the token that stands for exactly this text, in bytes (" the", not the file's "\u0120the"); an added token
  /// comes before one of the model.
  virtual std::optional<TokenId> find(std::string_view token) const = 0;
  /// True for added tokens flagged "special".
  virtual bool is_special(TokenId id) const noexcept = 0;
  /// "byte-level BPE" or "bytes".
  virtual std::string_view kind() const noexcept = 0;
  /// Identity of the vocabulary and rules, for state files: 32 hex digits.
  virtual std::string fingerprint() const = 0;

  /// Text of the ids, special tokens kept. Ill-formed UTF-8 becomes U+FFFD the way Hugging Face `tokenizers` does it.
  std::string decode(const std::vector<TokenId>& ids) const;
};

/// Reads a Hugging Face tokenizer.json (byte-level BPE; NFC or no normaliser; ByteLevel and isolated Split
/// pre-tokenizers) and gives the ids that `tokenizers` 0.23.3 gives without special tokens of its post-processor.
/// Known difference: marks added after Unicode 9 are put in canonical order, which `tokenizers` leaves undone.
/// Errors: not_found, corrupt_file (what, where), unsupported (names the component).
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& tokenizer_json);
/// The same from memory; `name` is used in messages.
std::unique_ptr<Tokenizer> parse_tokenizer(std::string_view json, std::string_view name);
/// id = byte, 256 ids.
std::unique_ptr<Tokenizer> make_byte_tokenizer();

/// ids -> text, piece by piece, never half a UTF-8 character. Pieces joined equal Tokenizer::decode of all ids.
/// One per stream; not thread-safe. The tokenizer must outlive it.
class StreamingDetokenizer {
 public:
  explicit StreamingDetokenizer(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}
  /// Text that is complete now (possibly empty).
  std::string push(TokenId id);
  /// What is left at the end of the stream; an unfinished character becomes U+FFFD.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  std::string pending_;  // bytes of an unfinished character
};

}  // namespace xlstm::tokenizer
