#include "xlstm/tokenizer/spec.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "xlstm/base/error.h"
#include "xlstm/base/log.h"
#include "xlstm/tokenizer/gpt2_scanner.h"
#include "xlstm/tokenizer/strict_json.h"

namespace xlstm::tokenizer {
namespace {

using nlohmann::json;

// Ids may leave holes, but only so many: the tables are as long as the largest id.
constexpr std::size_t kMaxHoles = 65'536;
constexpr std::size_t kMaxSteps = 16;

/// The byte-level alphabet: printable Latin-1 stands for itself, the other 68 bytes take U+0100 and up in order.
constexpr auto kAlphabet = [] {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 256;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    alphabet[byte] = printable ? byte : next++;
  }
  return alphabet;
}();

constexpr auto kByteOf = [] {
  std::array<std::int16_t, 256 + 68> bytes{};
  for (auto& byte : bytes) byte = -1;
  for (std::int16_t byte = 0; byte < 256; ++byte) bytes[kAlphabet[static_cast<std::size_t>(byte)]] = byte;
  return bytes;
}();

/// Reads one file; knows its name for the messages.
class SpecReader {
 public:
  SpecReader(const json& root, std::string_view name) : root_(root), name_(name) {}

  TokenizerSpec read() {
    if (!root_.is_object()) wrong("the file", "a JSON object", root_);
    if (const json& version = get(root_, "version"); !version.is_null() && version != "1.0") {
      unsupported("version", "\"1.0\"", version);
    }
    spec_.nfc = read_normalizer(get(root_, "normalizer"));
    read_pre_tokenizer(get(root_, "pre_tokenizer"));
    check_decoder(get(root_, "decoder"));
    check_post_processor(get(root_, "post_processor"));
    for (const char* key : {"truncation", "padding"}) {
      if (!get(root_, key).is_null()) log(LogLevel::info, std::string(name_) + ": " + key + " is ignored");
    }
    const json& model = member(root_, "model", "model");
    read_model_options(model);
    read_vocabulary(member(model, "vocab", "model.vocab"));
    check_alphabet();
    read_merges(member(model, "merges", "model.merges"));
    read_added_tokens(get(root_, "added_tokens"));
    return std::move(spec_);
  }

 private:
  template <class... Parts>
  [[noreturn]] void corrupt(const Parts&... parts) const {
    fail(ErrorCode::corrupt_file, name_, parts...);
  }
  [[noreturn]] void wrong(std::string_view what, std::string_view expected, const json& got) const {
    corrupt(what, ": expected ", expected, " but got ", got.is_primitive() ? shown(got) : got.type_name());
  }
  [[noreturn]] void unsupported(std::string_view what, std::string_view expected, const json& got) const {
    fail(ErrorCode::unsupported, name_, what, ": expected ", expected, " but got ",
         got.is_primitive() ? shown(got) : got.type_name());
  }
  static std::string shown(const json& value) {
    return value.is_string() ? in_quotes(value.get_ref<const std::string&>()) : value.dump();
  }

  /// The member, or null when there is none.
  static const json& get(const json& object, const char* key) {
    static const json null;
    const auto found = object.find(key);
    return found == object.end() ? null : *found;
  }
  const json& member(const json& object, const char* key, std::string_view path) const {
    const json& value = get(object, key);
    if (value.is_null()) corrupt(path, ": expected a value but got none");
    return value;
  }
  bool boolean(const json& object, const char* key, std::string_view path) const {
    const json& value = member(object, key, path);
    if (!value.is_boolean()) wrong(path, "true or false", value);
    return value.get<bool>();
  }
  bool boolean_or(const json& object, const char* key, bool otherwise, std::string_view path) const {
    return get(object, key).is_null() ? otherwise : boolean(object, key, path);
  }
  const std::string& text(const json& value, std::string_view path) const {
    if (!value.is_string()) wrong(path, "a string", value);
    return value.get_ref<const std::string&>();
  }
  const std::string& type_of(const json& component, std::string_view path) const {
    if (!component.is_object()) wrong(path, "an object or null", component);
    return text(member(component, "type", std::string(path) + ".type"), std::string(path) + ".type");
  }
  const json& list(const json& object, const char* key, const std::string& path) const {
    const json& value = member(object, key, path + '.' + key);
    if (!value.is_array()) wrong(path + '.' + key, "an array", value);
    return value;
  }

  bool read_normalizer(const json& normalizer) const {
    if (normalizer.is_null()) return false;
    const std::string& type = type_of(normalizer, "normalizer");
    if (type == "NFC") return true;
    if (type != "Sequence") unsupported("normalizer", "NFC, a Sequence of NFC or null", type);
    bool nfc = false;
    for (const json& part : list(normalizer, "normalizers", "normalizer")) nfc |= read_normalizer(part);
    return nfc;
  }

  /// Appends the steps of a pre-tokenizer; a Sequence is its parts in order. ByteLevel maps bytes to its alphabet, so
  /// it has to come last, and once.
  void read_pre_tokenizer(const json& part) {
    add_pre_tokenizer(part);
    if (!byte_level_seen_) unsupported("pre_tokenizer", "one that ends in ByteLevel", "none");
    if (spec_.steps.size() > kMaxSteps) unsupported("pre_tokenizer", "at most 16 steps", spec_.steps.size());
  }
  void add_pre_tokenizer(const json& part) {
    if (part.is_null()) unsupported("pre_tokenizer", "ByteLevel, Split or a Sequence of them", part);
    const std::string& type = type_of(part, "pre_tokenizer");
    if (type == "Sequence") {
      for (const json& inner : list(part, "pretokenizers", "pre_tokenizer")) add_pre_tokenizer(inner);
    } else if (byte_level_seen_) {
      unsupported("pre_tokenizer", "nothing after ByteLevel", type);
    } else if (type == "ByteLevel") {
      byte_level_seen_ = true;
      if (boolean(part, "add_prefix_space", "pre_tokenizer.add_prefix_space")) {
        spec_.steps.push_back({SplitStep::Kind::prefix_space, {}});
      }
      if (boolean_or(part, "use_regex", true, "pre_tokenizer.use_regex")) {
        spec_.steps.push_back({SplitStep::Kind::gpt2, {}});
      }
    } else if (type == "Split") {
      add_split(part);
    } else {
      unsupported("pre_tokenizer", "ByteLevel, Split or a Sequence of them", type);
    }
  }
  void add_split(const json& split) {
    const std::string& behavior = text(member(split, "behavior", "pre_tokenizer.behavior"), "pre_tokenizer.behavior");
    if (behavior != "Isolated") unsupported("pre_tokenizer.behavior", "Isolated", behavior);
    if (boolean(split, "invert", "pre_tokenizer.invert")) unsupported("pre_tokenizer.invert", "false", true);
    const json& pattern = member(split, "pattern", "pre_tokenizer.pattern");
    const char* const key = pattern.is_object() && pattern.contains("Regex") ? "Regex" : "String";
    if (!pattern.is_object() || pattern.size() != 1 || !pattern.contains(key)) {
      wrong("pre_tokenizer.pattern", "an object with Regex or String", pattern);
    }
    const std::string& what = text(pattern[key], "pre_tokenizer.pattern");
    const bool is_regex = key[0] == 'R';
    if (is_regex && what == kGpt2Pattern) {
      spec_.steps.push_back({SplitStep::Kind::gpt2, {}});
    } else {
      spec_.steps.push_back({is_regex ? SplitStep::Kind::regex : SplitStep::Kind::literal, what});
    }
  }

  void check_decoder(const json& decoder) const {
    if (decoder.is_null()) unsupported("decoder", "ByteLevel", decoder);
    if (const std::string& type = type_of(decoder, "decoder"); type != "ByteLevel") {
      unsupported("decoder", "ByteLevel", type);
    }
  }
  /// Post-processors add special tokens or trim offsets; encode() does neither, so that any known one will do.
  void check_post_processor(const json& processor) const {
    if (processor.is_null()) return;
    const std::string& type = type_of(processor, "post_processor");
    const auto known = {"ByteLevel", "TemplateProcessing", "RobertaProcessing", "BertProcessing", "Sequence"};
    if (std::find(known.begin(), known.end(), type) == known.end()) unsupported("post_processor", "a known one", type);
  }

  void read_model_options(const json& model) {
    if (!model.is_object()) wrong("model", "an object", model);
    if (const json& type = get(model, "type"); !type.is_null() && type != "BPE")
      unsupported("model.type", "\"BPE\"", type);
    if (const json& dropout = get(model, "dropout"); !dropout.is_null()) {
      if (!dropout.is_number()) wrong("model.dropout", "a number or null", dropout);
      if (dropout != 0) unsupported("model.dropout", "null", dropout);
    }
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const json& affix = get(model, key);
      if (!affix.is_null() && !text(affix, std::string("model.") + key).empty()) {
        unsupported(std::string("model.") + key, "null", affix);
      }
    }
    if (boolean_or(model, "byte_fallback", false, "model.byte_fallback"))
      unsupported("model.byte_fallback", "false", true);
    // What stands in for unknown characters: there are none, since check_alphabet() asks for a token for every byte.
    boolean_or(model, "fuse_unk", false, "model.fuse_unk");
    if (const json& unknown = get(model, "unk_token"); !unknown.is_null()) text(unknown, "model.unk_token");
    spec_.ignore_merges = boolean_or(model, "ignore_merges", false, "model.ignore_merges");
  }

  /// An id, checked against the number of entries that could hold ids.
  TokenId read_id(const json& value, std::size_t num_entries, const std::string& token) const {
    if (!value.is_number_unsigned()) wrong("id of " + in_quotes(token), "an integer from 0", value);
    if (value.get<std::uint64_t>() >= num_entries + kMaxHoles) {
      corrupt("id of ", in_quotes(token), ": expected less than ", num_entries + kMaxHoles, " with ", num_entries,
              " entries but got ", value.get<std::uint64_t>());
    }
    return static_cast<TokenId>(value.get<std::uint64_t>());
  }

  void read_vocabulary(const json& vocabulary) {
    if (!vocabulary.is_object()) wrong("model.vocab", "an object", vocabulary);
    for (const auto& [token, value] : vocabulary.items()) {
      const TokenId id = read_id(value, vocabulary.size(), token);
      const auto place = static_cast<std::size_t>(id);
      if (token.empty()) corrupt("model.vocab: expected tokens with text but id ", id, " has none");
      if (place >= spec_.vocabulary.size()) spec_.vocabulary.resize(place + 1);
      if (!spec_.vocabulary[place].empty()) {
        corrupt("model.vocab: expected each id once but ", in_quotes(spec_.vocabulary[place]), " and ",
                in_quotes(token), " both have ", id);
      }
      spec_.vocabulary[place] = token;
    }
    // Views of the final strings: the vector does not grow any more.
    ids_.reserve(vocabulary.size());
    for (std::size_t id = 0; id < spec_.vocabulary.size(); ++id) {
      if (!spec_.vocabulary[id].empty()) ids_.emplace(spec_.vocabulary[id], static_cast<TokenId>(id));
    }
  }

  /// GPT-NeoX has no token for the 13 bytes that no UTF-8 contains; every other byte needs one.
  void check_alphabet() const {
    for (int byte = 0; byte < 256; ++byte) {
      if (byte == 0xC0 || byte == 0xC1 || byte > 0xF4) continue;
      const std::string token = byte_level_text(static_cast<unsigned char>(byte));
      if (!ids_.contains(token)) {
        fail(ErrorCode::unsupported, name_, "model.vocab: expected a token for every byte of UTF-8 but byte ", byte,
             " (", in_quotes(token), ") has none");
      }
    }
  }

  TokenId known(std::string_view token, std::size_t line) const {
    const auto found = ids_.find(token);
    if (found == ids_.end()) {
      corrupt("model.merges[", line, "]: expected tokens of model.vocab but ", in_quotes(token), " is not there");
    }
    return found->second;
  }
  void add_merge(std::string_view left, std::string_view right, std::size_t line) {
    if (left.empty() || right.empty()) corrupt("model.merges[", line, "]: expected two tokens but one is empty");
    const TokenId left_id = known(left, line);
    const TokenId right_id = known(right, line);
    spec_.merges.push_back({left_id, right_id, known(std::string(left).append(right), line)});
  }
  void read_merges(const json& merges) {
    if (!merges.is_array()) wrong("model.merges", "an array", merges);
    for (std::size_t line = 0; line < merges.size(); ++line) {
      const json& merge = merges[line];
      const std::string path = "model.merges[" + std::to_string(line) + "]";
      if (merge.is_array()) {
        if (merge.size() != 2) corrupt(path, ": expected a pair but got ", merge.size(), " items");
        add_merge(text(merge[0], path), text(merge[1], path), line);
        continue;
      }
      if (!merge.is_string()) wrong(path, "a pair or a string", merge);
      const std::string_view both = merge.get_ref<const std::string&>();
      if (both.substr(0, 8) == "#version") continue;
      const std::size_t space = both.find(' ');
      if (space == both.npos || both.find(' ', space + 1) != both.npos) {
        corrupt(path, ": expected two tokens and a space but got ", in_quotes(both));
      }
      add_merge(both.substr(0, space), both.substr(space + 1), line);
    }
  }

  void read_added_tokens(const json& tokens) {
    if (tokens.is_null()) return;
    if (!tokens.is_array()) wrong("added_tokens", "an array", tokens);
    // Hugging Face numbers a token that the model lacks itself and passes over the id in the file; we insist that both
    // say the same, so that no text gets an id the file does not name.
    auto next_id = static_cast<TokenId>(ids_.size());
    std::unordered_set<std::string> seen;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      AddedToken token = read_added_token(tokens[i], "added_tokens[" + std::to_string(i) + "]", tokens.size());
      if (token.content.empty()) continue;  // as Hugging Face does
      if (!seen.insert(token.content).second)
        corrupt("added_tokens: expected each token once but ", in_quotes(token.content), " is twice");
      const auto found = ids_.find(token.content);
      const TokenId expected = found != ids_.end() ? found->second : next_id++;
      if (token.id != expected) {
        corrupt("added_tokens[", i, "]: expected id ", expected, " for ", in_quotes(token.content), " but got ",
                token.id);
      }
      if (found == ids_.end() && static_cast<std::size_t>(token.id) < spec_.vocabulary.size()) {
        corrupt("added_tokens[", i, "]: expected a free id for ", in_quotes(token.content), " but ", token.id,
                " belongs to the vocabulary, which has holes");
      }
      spec_.added.push_back(std::move(token));
    }
  }
  AddedToken read_added_token(const json& token, const std::string& path, std::size_t num_added) const {
    if (!token.is_object()) wrong(path, "an object", token);
    const std::string content = text(member(token, "content", path + ".content"), path + ".content");
    const auto flag = [&](const char* key) { return boolean(token, key, path + '.' + key); };
    const TokenId id = read_id(member(token, "id", path + ".id"), spec_.vocabulary.size() + num_added, content);
    return {id, content, flag("single_word"), flag("lstrip"), flag("rstrip"), flag("normalized"), flag("special")};
  }

  const json& root_;
  std::string_view name_;
  TokenizerSpec spec_;
  std::unordered_map<std::string_view, TokenId> ids_;  // of the model's vocabulary
  bool byte_level_seen_ = false;
};

}  // namespace

TokenizerSpec read_spec(std::string_view json_text, std::string_view name) {
  const json root = parse_strict_json(json_text, name);
  return SpecReader(root, name).read();
}

std::string byte_level_text(unsigned char byte) {
  std::string text;
  append_utf8(kAlphabet[byte], text);
  return text;
}

std::string bytes_of_token(std::string_view token, bool* in_alphabet) {
  std::string bytes;
  for (std::size_t at = 0; at < token.size();) {
    const Utf8Char next = read_utf8(token.data() + at, token.data() + token.size());
    const std::int16_t byte = next.code < kByteOf.size() ? kByteOf[next.code] : std::int16_t{-1};
    if (byte < 0) {
      if (in_alphabet != nullptr) *in_alphabet = false;
      return std::string(token);
    }
    bytes += static_cast<char>(byte);
    at += static_cast<std::size_t>(next.size);
  }
  if (in_alphabet != nullptr) *in_alphabet = true;
  return bytes;
}

}  // namespace xlstm::tokenizer
