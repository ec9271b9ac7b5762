#include "apps/server/api/sampling_fields.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <random>
#include <utility>

namespace xlstm::server::api {
namespace {

constexpr double kMostTemperature = 2, kMostPenalty = 2, kMostBias = 100, kMostRepetition = 10;

void read_float(ObjectReader& body, const std::string& field, double least, double most, float& out) {
  if (const auto found = body.number(field, least, most)) out = static_cast<float>(*found);
}

/// Both are shares that may not be 0 in float either.
void read_positive(ObjectReader& body, const std::string& field, double most, float& out) {
  read_float(body, field, 0, most, out);
  if (!(out > 0)) refuse(body.name(field), "a number above 0", out);
}

std::uint64_t read_seed(ObjectReader& body) {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min(), kMost = std::numeric_limits<std::int64_t>::max();
  if (const auto seed = body.integer("seed", kLeast, kMost)) return static_cast<std::uint64_t>(*seed);
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

void read_logit_bias(ObjectReader& body, const Context& context, sampling::SamplingParams& params) {
  const Json* const biases = body.object("logit_bias");
  if (biases == nullptr) return;
  const std::string name = body.name("logit_bias");
  const Limits& limits = context.options.limits;
  if (biases->size() > limits.logit_biases) refuse_limit(422, name, limits.logit_biases, "ids", biases->size());
  const auto vocab = static_cast<TokenId>(context.service.tokenizer().vocab_size());
  ObjectReader reader(*biases, name);
  for (const auto& item : biases->items()) {
    const std::string& key = item.key();
    TokenId id = -1;
    const auto [end, fault] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (fault != std::errc() || end != key.data() + key.size() || id < 0 || id >= vocab) {
      refuse(name, "ids below " + std::to_string(vocab) + " as keys", key);
    }
    if (const auto bias = reader.number(key, -kMostBias, kMostBias)) {
      params.logit_bias.emplace_back(id, static_cast<float>(*bias));
    }
  }
}

void read_stop_ids(ObjectReader& body, const Context& context, generation::Request& request) {
  if (!body.boolean("ignore_eos").value_or(false)) request.stop_ids = context.service.engine().stop_ids();
  if (const Json* const ids = body.array("stop_token_ids")) {
    const std::vector<TokenId> more = read_ids(*ids, body.name("stop_token_ids"), context);
    request.stop_ids.insert(request.stop_ids.end(), more.begin(), more.end());
  }
}

std::string checked_source(std::string source, const std::string& name, const Limits& limits) {
  if (source.size() > limits.schema_bytes) refuse_limit(413, name, limits.schema_bytes, "bytes", source.size());
  return source;
}

std::optional<engine::Constraint> read_response_format(ObjectReader& body, const Limits& limits) {
  using Kind = engine::Constraint::Kind;
  const Json* const format = body.object("response_format");
  if (format == nullptr) return std::nullopt;
  ObjectReader reader(*format, body.name("response_format"));
  const auto type = reader.one_of("type", {"text", "json_object", "json_schema"});
  if (!type) reader.required_text("type");
  std::optional<engine::Constraint> made;
  if (*type == "json_object") made = {Kind::json_object, ""};
  if (*type == "json_schema") {
    const Json* const schema = reader.object("json_schema");
    if (schema == nullptr) refuse(reader.name("json_schema"), "an object", nullptr);
    made = {Kind::json_schema, read_schema(ObjectReader(*schema, reader.name("json_schema")), limits)};
  }
  reader.finish();
  return made;
}

}  // namespace

std::vector<TokenId> read_ids(const Json& list, const std::string& name, const Context& context) {
  const std::size_t most = context.options.limits.prompt_tokens;
  if (list.size() > most) refuse_limit(422, name, most, "ids", list.size());
  const std::int64_t vocab = context.service.model().config.vocab_size;
  std::vector<TokenId> ids;
  ids.reserve(list.size());
  for (const Json& item : list) {
    const bool fits = item.is_number_unsigned() && item.get<std::uint64_t>() < static_cast<std::uint64_t>(vocab);
    if (!fits) refuse(name, "ids from 0 to " + std::to_string(vocab - 1), item);
    ids.push_back(item.get<TokenId>());
  }
  return ids;
}

std::vector<std::vector<TokenId>> read_prompts(ObjectReader& body, const std::string& field, const Context& context,
                                               bool with_bos, std::size_t most) {
  const Json* const prompt = body.value(field);
  if (prompt == nullptr) {
    throw ApiError(400, "missing_parameter", field,
                   field + ": expected a text, texts, ids or lists of ids but got nothing");
  }
  const auto is_ids = [](const Json& value) { return value.is_array() && !value.empty() && value.front().is_number(); };
  const bool several = prompt->is_array() && !is_ids(*prompt);
  const std::size_t count = several ? prompt->size() : 1;
  if (count > most) refuse_limit(422, field, most, "texts", count);
  if (count == 0) refuse(field, "at least one text or id", *prompt);
  std::vector<std::vector<TokenId>> prompts;
  for (std::size_t i = 0; i < count; ++i) {
    const Json& one = several ? (*prompt)[i] : *prompt;
    const std::string name = several ? field + "[" + std::to_string(i) + "]" : field;
    if (one.is_string()) {
      prompts.push_back(encode_prompt(context, one.get_ref<const std::string&>(), with_bos, name));
    } else if (is_ids(one)) {
      prompts.push_back(read_ids(one, name, context));
    } else {
      refuse(name, "a text or a list of ids", one);
    }
  }
  return prompts;
}

std::int64_t read_max_tokens(ObjectReader& body, const std::string& field, std::int64_t fallback,
                             const Limits& limits) {
  const auto found = body.integer(field, 0, std::numeric_limits<std::int64_t>::max());
  if (!found) return std::min(fallback, limits.max_tokens);
  if (*found > limits.max_tokens) {
    refuse_limit(422, body.name(field), static_cast<std::uint64_t>(limits.max_tokens), "tokens",
                 static_cast<std::uint64_t>(*found));
  }
  return *found;
}

void read_stop_strings(ObjectReader& body, const std::string& field, const Limits& limits,
                       generation::Request& request) {
  const Json* const stop = body.value(field);
  if (stop == nullptr) return;
  const std::string name = body.name(field);
  const Json list = stop->is_string() ? Json::array({*stop}) : *stop;
  if (!list.is_array()) refuse(name, "a text or a list of texts", *stop);
  if (list.size() > limits.stop_strings) refuse_limit(422, name, limits.stop_strings, "texts", list.size());
  for (const Json& item : list) {
    if (!item.is_string() || item.get_ref<const std::string&>().empty()) refuse(name, "texts that are not empty", item);
    const auto& text = item.get_ref<const std::string&>();
    if (text.size() > limits.stop_bytes) refuse_limit(422, name, limits.stop_bytes, "bytes a text", text.size());
    request.stop_strings.push_back(text);
  }
}

void read_sampling(ObjectReader& body, const Context& context, generation::Request& request) {
  sampling::SamplingParams& params = request.sampling;
  read_float(body, "temperature", 0, kMostTemperature, params.temperature);
  read_positive(body, "top_p", 1, params.top_p);
  params.top_k = std::max<std::int64_t>(
      body.integer("top_k", -1, std::numeric_limits<std::int32_t>::max()).value_or(params.top_k), 0);
  read_float(body, "min_p", 0, 1, params.min_p);
  read_positive(body, "repetition_penalty", kMostRepetition, params.repetition_penalty);
  read_float(body, "frequency_penalty", -kMostPenalty, kMostPenalty, params.frequency_penalty);
  read_float(body, "presence_penalty", -kMostPenalty, kMostPenalty, params.presence_penalty);
  read_logit_bias(body, context, params);
  params.seed = read_seed(body);
  read_stop_strings(body, "stop", context.options.limits, request);
  read_stop_ids(body, context, request);
  request.min_tokens = body.integer("min_tokens", 0, context.options.limits.max_tokens).value_or(0);
  if (request.min_tokens > request.max_tokens) {
    refuse(body.name("min_tokens"), "at most the " + std::to_string(request.max_tokens) + " tokens of the text",
           request.min_tokens);
  }
}

std::string read_schema(ObjectReader format, const Limits& limits) {
  format.ignore({"name", "strict", "description"});  // a schema here is always strict
  const Json* const schema = format.value("schema");
  if (schema == nullptr || !(schema->is_object() || schema->is_boolean())) {
    refuse(format.name("schema"), "a JSON schema", schema == nullptr ? Json(nullptr) : *schema);
  }
  format.finish();
  return checked_source(dump(*schema), format.name("schema"), limits);
}

void read_constraint(ObjectReader& body, const Context& context, generation::Request& request) {
  using Kind = engine::Constraint::Kind;
  const Limits& limits = context.options.limits;
  std::vector<std::pair<std::string, engine::Constraint>> found;
  if (auto made = read_response_format(body, limits)) found.emplace_back("response_format", std::move(*made));
  for (const auto& [field, kind] : {std::pair{"grammar", Kind::gbnf}, std::pair{"regex", Kind::regex}}) {
    if (auto source = body.text(field)) {
      found.emplace_back(field, engine::Constraint{kind, checked_source(std::move(*source), body.name(field), limits)});
    }
  }
  if (found.size() > 1) {
    throw ApiError(400, "invalid_value", found[1].first,
                   found[1].first + ": expected one constraint but got " + found[0].first + " as well");
  }
  if (found.empty()) return;
  try {
    request.constraint = context.service.engine().constraint(found[0].second);
  } catch (const std::exception& error) {  // the message tells where in the source
    throw ApiError(400, "invalid_constraint", found[0].first, error.what());
  }
}

void read_choices(ObjectReader& body, const Limits& limits, std::size_t prompts, engine::Submission& submission) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const std::int64_t n = body.integer("n", 1, kMost).value_or(1);
  const std::int64_t best_of = body.integer("best_of", 1, kMost).value_or(n);
  if (best_of < n) refuse(body.name("best_of"), "at least the " + std::to_string(n) + " of n", best_of);
  const std::int64_t drawn = best_of * static_cast<std::int64_t>(prompts);
  if (drawn > limits.choices) {
    refuse_limit(422, body.name(best_of > n ? "best_of" : "n"), static_cast<std::uint64_t>(limits.choices),
                 "choices of all prompts", static_cast<std::uint64_t>(drawn));
  }
  submission.num_samples = static_cast<std::size_t>(n);
  if (best_of > n) submission.best_of = static_cast<std::size_t>(best_of);
}

}  // namespace xlstm::server::api
