#include "apps/cli/batch_line.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "apps/cli/messages.h"
#include "apps/cli/submission_flags.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/message_borders.h"

namespace xlstm::cli {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& key, std::string_view expected, const Json& found) {
  fail(ErrorCode::invalid_argument, key, "expected ", expected, " but got ",
       found.dump(-1, ' ', false, Json::error_handler_t::replace));
}

template <class Integer>
void read_integer(const std::string& key, const Json& value, Integer& out) {
  if (!value.is_number_integer()) refuse(key, "an integer", value);
  if (std::is_unsigned_v<Integer>
          ? !value.is_number_unsigned()
          : value.is_number_unsigned() &&
                value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    refuse(key, "an integer in range", value);
  }
  out = value.get<Integer>();
}

void read_number(const std::string& key, const Json& value, float& out) {
  if (!value.is_number()) refuse(key, "a number", value);
  out = value.get<float>();
}

std::string read_string(const std::string& key, const Json& value) {
  if (!value.is_string()) refuse(key, "a text", value);
  return value.get<std::string>();
}

std::vector<TokenId> read_ids(const std::string& key, const Json& value) {
  if (!value.is_array()) refuse(key, "a list of ids", value);
  std::vector<TokenId> ids;
  for (const Json& item : value) {
    std::int64_t id = 0;
    read_integer(key, item, id);
    if (id < 0 || id > std::numeric_limits<TokenId>::max()) refuse(key, "ids", item);
    ids.push_back(static_cast<TokenId>(id));
  }
  return ids;
}

std::vector<std::string> read_stops(const std::string& key, const Json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_array()) refuse(key, "a text or a list of texts", value);
  std::vector<std::string> stops;
  for (const Json& item : value) stops.push_back(read_string(key, item));
  return stops;
}

std::vector<std::pair<TokenId, float>> read_bias(const std::string& key, const Json& value) {
  if (!value.is_object()) refuse(key, "an object of ids and numbers", value);
  std::vector<std::pair<TokenId, float>> bias;
  for (const auto& [name, number] : value.items()) {
    const Json id = Json::parse(name, nullptr, /*allow_exceptions=*/false);
    if (!id.is_number_unsigned()) refuse(key, "ids as keys", name);
    float amount = 0;
    read_number(key, number, amount);
    bias.emplace_back(id.get<TokenId>(), amount);
  }
  return bias;
}

bool read_bool(const std::string& key, const Json& value) {
  if (!value.is_boolean()) refuse(key, "true or false", value);
  return value.get<bool>();
}

/// false, true or "never", as in transformers.
generation::EarlyStopping read_early(const std::string& key, const Json& value) {
  if (value == "never") return generation::EarlyStopping::never;
  if (!value.is_boolean()) refuse(key, "true, false or \"never\"", value);
  return value.get<bool>() ? generation::EarlyStopping::yes : generation::EarlyStopping::no;
}

using Reader = std::function<void(const std::string& key, const Json& value, BatchLine& line)>;

template <class Integer>
Reader integer(Integer generation::Request::*member) {
  return [member](const auto& key, const Json& value, BatchLine& line) {
    read_integer(key, value, line.submission.request.*member);
  };
}

Reader number(float sampling::SamplingParams::*member) {
  return [member](const auto& key, const Json& value, BatchLine& line) {
    read_number(key, value, line.submission.request.sampling.*member);
  };
}

template <class Integer>
Reader sampling_integer(Integer sampling::SamplingParams::*member) {
  return [member](const auto& key, const Json& value, BatchLine& line) {
    read_integer(key, value, line.submission.request.sampling.*member);
  };
}

/// Every key but those below.
const std::map<std::string, Reader>& readers() {
  using Request = generation::Request;
  using Params = sampling::SamplingParams;
  static const std::map<std::string, Reader> kReaders = {
      {"id", [](const auto&, const Json& value, BatchLine& line) { line.id = value; }},
      {"max_tokens", integer(&Request::max_tokens)},
      {"min_tokens", integer(&Request::min_tokens)},
      {"logprobs", integer(&Request::logprobs)},
      {"temperature", number(&Params::temperature)},
      {"top_p", number(&Params::top_p)},
      {"min_p", number(&Params::min_p)},
      {"repetition_penalty", number(&Params::repetition_penalty)},
      {"frequency_penalty", number(&Params::frequency_penalty)},
      {"presence_penalty", number(&Params::presence_penalty)},
      {"top_k", sampling_integer(&Params::top_k)},
      {"penalty_window", sampling_integer(&Params::penalty_window)},
      {"seed", sampling_integer(&Params::seed)},
      {"stop", [](const auto& key, const Json& value,
                  BatchLine& line) { line.submission.request.stop_strings = read_stops(key, value); }},
      {"logit_bias", [](const auto& key, const Json& value,
                        BatchLine& line) { line.submission.request.sampling.logit_bias = read_bias(key, value); }},
      {"n", [](const auto& key, const Json& value,
               BatchLine& line) { read_integer(key, value, line.submission.num_samples); }},
      {"best_of",
       [](const auto& key, const Json& value, BatchLine& line) { read_integer(key, value, line.submission.best_of); }},
      {"num_beams", [](const auto& key, const Json& value,
                       BatchLine& line) { read_integer(key, value, line.submission.beams.num_beams); }},
      {"length_penalty",
       [](const auto& key, const Json& value, BatchLine& line) {
         if (!value.is_number()) refuse(key, "a number", value);
         line.submission.beams.length_penalty = value.get<double>();
       }},
      {"early_stopping", [](const auto& key, const Json& value,
                            BatchLine& line) { line.submission.beams.early_stopping = read_early(key, value); }},
      {"prompt_logprobs", [](const auto& key, const Json& value,
                             BatchLine& line) { read_integer(key, value, line.submission.prompt_logprobs); }},
      {"echo", [](const auto& key, const Json& value,
                  BatchLine& line) { line.submission.request.echo = read_bool(key, value); }},
      {"priority",
       [](const auto& key, const Json& value, BatchLine& line) { read_integer(key, value, line.submission.priority); }},
  };
  return kReaders;
}

constexpr std::array kStopKeys = {"ignore_eos", "stop_ids"};
constexpr std::array kPromptKeys = {"prompt", "prompt_ids", "messages"};
constexpr std::array kConstraintKeys = {"grammar", "regex", "json_schema", "json_object"};

template <class Keys>
auto count_of(const Keys& keys, const Json& object) {
  return std::count_if(keys.begin(), keys.end(), [&](const char* key) { return object.contains(key); });
}

/// Keys that are read from the whole object.
bool has_place_of_its_own(const std::string& key) {
  const auto is_key = [&](const char* other) { return key == other; };
  return key == "tools" || std::any_of(kStopKeys.begin(), kStopKeys.end(), is_key) ||
         std::any_of(kPromptKeys.begin(), kPromptKeys.end(), is_key) ||
         std::any_of(kConstraintKeys.begin(), kConstraintKeys.end(), is_key);
}

/// The prompt of messages, with snapshots where they end.
void read_messages(const Json& object, const engine::Engine& engine, engine::Submission& submission) {
  const text::ChatTemplate& chat = require_chat_template(engine, "messages");
  text::ChatRequest request;
  request.messages = object["messages"];
  if (object.contains("tools")) request.tools = object["tools"];
  request.add_generation_prompt = true;
  std::vector<TokenId>& prompt = submission.request.prompt;
  prompt = engine.encode(chat.render(request), /*with_bos=*/true);
  if (submission.use_cache) submission.snapshots_at = engine::message_borders(engine, chat, request, prompt);
}

void read_prompt(const Json& object, const engine::Engine& engine, engine::Submission& submission) {
  const auto count = count_of(kPromptKeys, object);
  if (count != 1) {
    fail(ErrorCode::invalid_argument, "prompt", "expected one of \"prompt\", \"prompt_ids\" and \"messages\" but got ",
         count == 0 ? "none" : "several");
  }
  if (object.contains("tools") && !object.contains("messages")) {
    fail(ErrorCode::invalid_argument, "tools", "expected \"messages\" beside them but got none");
  }
  if (object.contains("messages")) return read_messages(object, engine, submission);
  submission.request.prompt = object.contains("prompt_ids")
                                  ? read_ids("prompt_ids", object["prompt_ids"])
                                  : engine.encode(read_string("prompt", object["prompt"]), /*with_bos=*/true);
}

/// What the line says of its text in place of the flags; `fallback` if it says nothing.
engine::SharedMasks read_constraint(const Json& object, engine::SharedMasks fallback, const engine::Engine& engine) {
  using Kind = engine::Constraint::Kind;
  const auto count = count_of(kConstraintKeys, object);
  if (count == 0) return fallback;
  if (count > 1) {
    fail(ErrorCode::invalid_argument, "line",
         "expected one of \"grammar\", \"regex\", \"json_schema\" and \"json_object\" but got several");
  }
  if (object.contains("grammar")) return engine.constraint({Kind::gbnf, read_string("grammar", object["grammar"])});
  if (object.contains("regex")) return engine.constraint({Kind::regex, read_string("regex", object["regex"])});
  if (object.contains("json_object")) {
    return read_bool("json_object", object["json_object"]) ? engine.constraint({Kind::json_object, ""}) : nullptr;
  }
  const Json& schema = object["json_schema"];
  if (!schema.is_object() && !schema.is_boolean()) refuse("json_schema", "a schema", schema);
  return engine.constraint({Kind::json_schema, schema.dump(-1, ' ', false, Json::error_handler_t::replace)});
}

/// The model's own end of text goes or comes, whatever the flags say; ids of the line's own are further ones.
std::vector<TokenId> read_stop_ids(const Json& object, std::vector<TokenId> ids, const engine::Engine& engine) {
  if (object.contains("ignore_eos")) {
    const bool ignore = read_bool("ignore_eos", object["ignore_eos"]);
    const std::vector<TokenId> own = engine.stop_ids(), configured = engine.config_stop_ids();
    const auto among = [](const std::vector<TokenId>& list, TokenId id) {
      return std::find(list.begin(), list.end(), id) != list.end();
    };
    std::erase_if(ids, [&](TokenId id) { return among(own, id) || (ignore && among(configured, id)); });
    if (!ignore) ids.insert(ids.end(), own.begin(), own.end());
  }
  if (object.contains("stop_ids")) {
    const std::int64_t vocab = engine.model().config.vocab_size;
    for (const TokenId id : read_ids("stop_ids", object["stop_ids"])) {
      if (id >= vocab) refuse("stop_ids", "ids below " + std::to_string(vocab), id);
      ids.push_back(id);
    }
  }
  return ids;
}

/// What one key alone does not show.
void check_together(const engine::Submission& submission) {
  const generation::Request& request = submission.request;
  if (request.max_tokens < 0 || request.min_tokens <= request.max_tokens) return;
  fail(ErrorCode::invalid_argument, "min_tokens", "expected at most the ", request.max_tokens,
       " of max_tokens but got ", request.min_tokens);
}

}  // namespace

BatchLine parse_batch_line(std::string_view line, const engine::Submission& defaults, const engine::Engine& engine) {
  Json object;
  try {
    object = Json::parse(line);
  } catch (const Json::parse_error& error) {
    fail(ErrorCode::invalid_argument, "line", "expected a JSON object but byte ", error.byte, " is wrong");
  }
  if (!object.is_object()) refuse("line", "a JSON object", object);
  BatchLine made;
  made.submission = defaults;
  const bool beams = object.contains("num_beams") ? object["num_beams"] != 0 : defaults.beams.num_beams > 0;
  if (beams) prepare_for_beams(made.submission.request.sampling);
  for (const auto& [key, value] : object.items()) {
    if (has_place_of_its_own(key)) continue;
    const auto reader = readers().find(key);
    if (reader == readers().end())
      fail(ErrorCode::invalid_argument, "line", "expected known keys but got \"", key, "\"");
    reader->second(key, value, made);
  }
  generation::Request& request = made.submission.request;
  read_prompt(object, engine, made.submission);
  request.stop_ids = read_stop_ids(object, std::move(request.stop_ids), engine);
  request.constraint = read_constraint(object, defaults.request.constraint, engine);
  check_together(made.submission);
  return made;
}

}  // namespace xlstm::cli
