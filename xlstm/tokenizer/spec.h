// What a tokenizer.json says, checked but not yet indexed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/token_id.h"

namespace xlstm::tokenizer {

/// Two neighbours that become one token; a merge's place in the list is its rank, the lower the earlier.
struct Merge {
  TokenId left;
  TokenId right;
  TokenId result;
};

/// Text that is a token wherever it is written.
struct AddedToken {
  TokenId id;
  std::string content;
  bool single_word;  // only where no word character touches it
  bool lstrip;       // takes the white space on its left
  bool rstrip;       // takes the white space on its right
  bool normalized;   // looked for in normalised text
  bool special;
};

/// One step of the pre-tokenizer, applied to each piece the step before left.
struct SplitStep {
  enum class Kind { prefix_space, gpt2, regex, literal } kind;
  std::string pattern;  // regex and literal only
};

struct TokenizerSpec {
  std::vector<std::string> vocabulary;  // by id, in the byte-level alphabet; "" where the model has no token
  std::vector<Merge> merges;            // by rank
  std::vector<AddedToken> added;        // as listed in the file
  std::vector<SplitStep> steps;
  bool nfc = false;
  bool ignore_merges = false;
};

/// Errors: corrupt_file, unsupported; one line that opens with `name`.
TokenizerSpec read_spec(std::string_view json, std::string_view name);

/// Bytes that a token written in the byte-level alphabet stands for. A token with a character outside that alphabet
/// stands for its own UTF-8, as in Hugging Face's ByteLevel decoder; `in_alphabet` tells which it was.
std::string bytes_of_token(std::string_view token, bool* in_alphabet = nullptr);
/// The character of the byte-level alphabet that stands for `byte`, in UTF-8.
std::string byte_level_text(unsigned char byte);

}  // namespace xlstm::tokenizer
