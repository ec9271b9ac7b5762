#include "xlstm/tokenizer/bpe_tokenizer.h"

#include <algorithm>
#include <array>

#include "xlstm/base/error.h"
#include "xlstm/base/hash.h"
#include "xlstm/tokenizer/nfc.h"
#include "xlstm/tokenizer/strict_json.h"

namespace xlstm::tokenizer {
namespace {

/// Everything that decides which ids a text gets and which text ids give, in one order, unambiguous.
std::string hash_of(const TokenizerSpec& spec) {
  Hasher hasher;
  const auto number = [&](long long value) { hasher.update(std::to_string(value)).update(std::string_view(" ")); };
  const auto text = [&](std::string_view value) {
    number(static_cast<long long>(value.size()));
    hasher.update(value);
  };
  text("xlstm byte-level BPE 1");
  number(spec.nfc);
  number(spec.ignore_merges);
  number(static_cast<long long>(spec.steps.size()));
  for (const SplitStep& step : spec.steps) {
    number(static_cast<int>(step.kind));
    text(step.pattern);
  }
  number(static_cast<long long>(spec.vocabulary.size()));
  for (const std::string& token : spec.vocabulary) text(token);
  number(static_cast<long long>(spec.merges.size()));
  for (const Merge& merge : spec.merges) {
    number(merge.left);
    number(merge.right);
  }
  std::vector<const AddedToken*> added;
  for (const AddedToken& token : spec.added) added.push_back(&token);
  std::sort(added.begin(), added.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  for (const AddedToken* token : added) {
    number(token->id);
    text(token->content);
    for (bool flag : {token->single_word, token->lstrip, token->rstrip, token->normalized, token->special})
      number(flag);
  }
  return hasher.digest();
}

std::string normalized_content(const AddedToken& token, bool nfc) {
  std::string storage;
  return token.normalized && nfc ? std::string(to_nfc(token.content, storage)) : token.content;
}

/// The added tokens with this `normalized` flag, as they are looked for.
std::vector<AddedToken> patterns(const TokenizerSpec& spec, bool normalized, std::string_view name) {
  std::vector<AddedToken> chosen;
  std::unordered_map<std::string, TokenId> seen;
  for (AddedToken token : spec.added) {
    if (token.normalized != normalized) continue;
    token.content = normalized_content(token, spec.nfc);
    if (!seen.emplace(token.content, token.id).second) {
      fail(ErrorCode::corrupt_file, name, "added_tokens: expected each token once but ", in_quotes(token.content),
           " is there twice once normalised");
    }
    chosen.push_back(std::move(token));
  }
  return chosen;
}

std::array<TokenId, 256> byte_ids(const TokenizerSpec& spec) {
  std::unordered_map<std::string_view, TokenId> ids;
  for (std::size_t id = 0; id < spec.vocabulary.size(); ++id)
    ids.emplace(spec.vocabulary[id], static_cast<TokenId>(id));
  std::array<TokenId, 256> found;
  for (std::size_t byte = 0; byte < found.size(); ++byte) {
    const auto token = ids.find(byte_level_text(static_cast<unsigned char>(byte)));
    found[byte] = token == ids.end() ? -1 : token->second;
  }
  return found;
}

}  // namespace

BpeTokenizer::BpeTokenizer(const TokenizerSpec& spec, std::string_view name)
    : nfc_(spec.nfc),
      ignore_merges_(spec.ignore_merges),
      fingerprint_(hash_of(spec)),
      pre_tokenizer_(spec.steps, name),
      raw_added_(patterns(spec, false, name)),
      normalized_added_(patterns(spec, true, name)),
      pairs_(byte_ids(spec), spec.merges),
      words_({}) {
  CharTable::instance();  // built now, not in the first encode()
  index_vocabulary(spec);
  words_ = one_token_words();
  index_added_tokens(spec);
}

void BpeTokenizer::index_vocabulary(const TokenizerSpec& spec) {
  bytes_.resize(spec.vocabulary.size());
  model_ids_.reserve(bytes_.size());
  for (std::size_t id = 0; id < bytes_.size(); ++id) {
    if (spec.vocabulary[id].empty()) continue;
    bool in_alphabet = false;
    bytes_[id] = bytes_of_token(spec.vocabulary[id], &in_alphabet);
    if (in_alphabet) {
      model_ids_.emplace(bytes_[id], static_cast<TokenId>(id));
    } else {
      other_ids_.emplace(bytes_[id], static_cast<TokenId>(id));
    }
  }
}

/// Not every token of the vocabulary: merges may miss one when they start from its bytes.
WordTable BpeTokenizer::one_token_words() const {
  std::vector<WordTable::Entry> entries;
  std::vector<TokenId> ids;
  for (const auto& [word, id] : model_ids_) {
    if (word.size() > WordTable::kMaxBytes) continue;
    ids.clear();
    if (!ignore_merges_) pairs_.encode(word, ids);
    if (ignore_merges_ || (ids.size() == 1 && ids[0] == id)) entries.push_back({word, id});
  }
  return WordTable(entries);
}

void BpeTokenizer::index_added_tokens(const TokenizerSpec& spec) {
  for (const AddedToken& token : spec.added) {
    const auto place = static_cast<std::size_t>(token.id);
    if (place >= bytes_.size()) bytes_.resize(place + 1);
    special_.resize(bytes_.size());
    // Hugging Face decodes an added token in its normalised form, and through the byte-level alphabet where it fits.
    bytes_[place] = bytes_of_token(normalized_content(token, nfc_));
    special_[place] = token.special;
    other_ids_[token.content] = token.id;
  }
}

std::vector<TokenId> BpeTokenizer::encode(std::string_view text) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 4);
  for (const Span& span : raw_added_.split(text)) {
    if (span.id >= 0) {
      ids.push_back(span.id);
    } else {
      encode_raw(span.text, ids);
    }
  }
  return ids;
}

/// Text without added tokens of the raw kind.
void BpeTokenizer::encode_raw(std::string_view text, std::vector<TokenId>& ids) const {
  std::string storage;
  if (nfc_) text = to_nfc(text, storage);
  for (const Span& span : normalized_added_.split(text)) {
    if (span.id >= 0) {
      ids.push_back(span.id);
    } else {
      pre_tokenizer_.split(span.text, [&](std::string_view word) { encode_word(word, ids); });
    }
  }
}

void BpeTokenizer::encode_word(std::string_view word, std::vector<TokenId>& ids) const {
  if (const auto id = words_.find(word)) {
    ids.push_back(*id);
    return;
  }
  if (ignore_merges_ && word.size() > WordTable::kMaxBytes) {
    if (const auto found = model_ids_.find(word); found != model_ids_.end()) {
      ids.push_back(found->second);
      return;
    }
  }
  pairs_.encode(word, ids);
}

std::string_view BpeTokenizer::token_bytes(TokenId id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= bytes_.size()) {
    fail(ErrorCode::invalid_argument, "tokenizer", "expected an id from 0 to ", bytes_.size() - 1, " but got ", id);
  }
  return bytes_[static_cast<std::size_t>(id)];
}

std::optional<TokenId> BpeTokenizer::find(std::string_view token) const {
  if (const auto found = other_ids_.find(token); found != other_ids_.end()) return found->second;
  if (const auto found = model_ids_.find(token); found != model_ids_.end()) return found->second;
  return std::nullopt;
}

bool BpeTokenizer::is_special(TokenId id) const noexcept {
  return id >= 0 && static_cast<std::size_t>(id) < special_.size() && special_[static_cast<std::size_t>(id)];
}

}  // namespace xlstm::tokenizer
