// What completions, chats and the other forms of a request say of how a text is drawn and when it ends.
#pragma once

#include <cstdint>
#include <string>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

/// temperature, top_p, top_k (0 or -1: off), min_p, repetition_penalty, frequency_penalty, presence_penalty,
/// logit_bias, seed (none: a random one), stop, stop_token_ids, min_tokens, ignore_eos. Errors: ApiError 400, 422.
void read_sampling(ObjectReader& body, const Context& context, generation::Request& request);

/// The value of `field`, else `fallback`. Errors: ApiError 422 beyond Limits::max_tokens.
std::int64_t read_max_tokens(ObjectReader& body, const std::string& field, std::int64_t fallback, const Limits& limits);

/// A text or a list of texts as the stop strings of `request`.
void read_stop_strings(ObjectReader& body, const std::string& field, const Limits& limits,
                       generation::Request& request);

/// What the text has to be: response_format, grammar (GBNF), regex; at most one of them. Makes the masks, which may
/// take a second. Errors: ApiError 400, 413.
void read_constraint(ObjectReader& body, const Context& context, generation::Request& request);

/// {"name", "schema", "strict", "description"}: the schema, as text. Errors: ApiError 400, 413.
std::string read_schema(ObjectReader format, const Limits& limits);

/// Ids. Errors: ApiError 400 (no ids of the vocabulary), 422 (Limits::prompt_tokens).
std::vector<TokenId> read_ids(const Json& list, const std::string& name, const Context& context);

/// Ids of each text of the field: a text, ids, or a list of either, at most `most`. Errors: ApiError 400, 422.
std::vector<std::vector<TokenId>> read_prompts(ObjectReader& body, const std::string& field, const Context& context,
                                               bool with_bos, std::size_t most);

/// n and best_of of each of `prompts`. Errors: ApiError 422 beyond Limits::choices.
void read_choices(ObjectReader& body, const Limits& limits, std::size_t prompts, engine::Submission& submission);

}  // namespace xlstm::server::api
