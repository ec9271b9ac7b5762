// Chat templates and special tokens as tokenizer_config.json has them.
#include "xlstm/base/error.h"
#include "xlstm/text/chat_template.h"

namespace xlstm::text {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kFile = "tokenizer_config.json";
constexpr std::size_t kMaxBytes = std::size_t{16} << 20;  // public ones have up to 3 MB
constexpr int kMaxDepth = 32;
constexpr const char* kTokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                   "pad_token", "cls_token", "mask_token"};

ordered_json parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    fail(ErrorCode::corrupt_file, kFile, "expected at most ", kMaxBytes, " bytes but got ", text.size());
  }
  const auto check_depth = [](int depth, ordered_json::parse_event_t, ordered_json&) {
    if (depth > kMaxDepth) fail(ErrorCode::corrupt_file, kFile, "expected at most ", kMaxDepth, " levels but got more");
    return true;
  };
  try {
    ordered_json config = ordered_json::parse(text, check_depth);
    if (config.is_object()) return config;
    fail(ErrorCode::corrupt_file, kFile, "expected an object but got ", config.type_name());
  } catch (const ordered_json::parse_error& error) {
    fail(ErrorCode::corrupt_file, kFile, "expected JSON but got a syntax error at byte ", error.byte);
  }
}

// A string, or an object with the string as its content.
ordered_json special_tokens(const ordered_json& config) {
  ordered_json tokens = ordered_json::object();
  for (const char* name : kTokens) {
    if (!config.contains(name) || config[name].is_null()) continue;
    const ordered_json& token = config[name];
    const ordered_json& text = token.is_object() && token.contains("content") ? token["content"] : token;
    if (!text.is_string()) {
      fail(ErrorCode::corrupt_file, kFile, "expected ", name, " as a string but got ", text.type_name());
    }
    tokens[name] = text;
  }
  return tokens;
}

const std::string& text_of(const ordered_json& entry, const char* key) {
  if (!entry.is_object() || !entry.contains(key) || !entry[key].is_string()) {
    fail(ErrorCode::corrupt_file, kFile, "expected each chat_template with a string \"", key, "\" but got none");
  }
  return entry[key].get_ref<const std::string&>();
}

}  // namespace

std::optional<ChatTemplate> ChatTemplate::from_tokenizer_config(std::string_view json,
                                                                std::optional<std::string_view> chat_template) {
  const ordered_json config = parse(json);
  ChatTemplate result(special_tokens(config));
  if (chat_template) {
    result.add("", *chat_template);
    return result;
  }
  if (!config.contains("chat_template") || config["chat_template"].is_null()) return std::nullopt;
  const ordered_json& source = config["chat_template"];
  if (source.is_string()) {
    result.add("", source.get_ref<const std::string&>());
    return result;
  }
  if (!source.is_array() || source.empty()) {
    fail(ErrorCode::corrupt_file, kFile, "expected chat_template as a string or a list of templates but got ",
         source.is_array() ? "an empty list" : source.type_name());
  }
  for (const ordered_json& entry : source) {
    const std::string& name = text_of(entry, "name");
    if (name.empty())
      fail(ErrorCode::corrupt_file, kFile, "expected a name of each chat_template but got an empty one");
    result.add(name, text_of(entry, "template"));
  }
  return result;
}

}  // namespace xlstm::text
