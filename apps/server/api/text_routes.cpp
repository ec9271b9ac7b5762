#include "apps/server/api/text_routes.h"

#include <utility>

#include "apps/server/api/chat_request.h"
#include "apps/server/api/respond.h"
#include "apps/server/api/sampling_fields.h"
#include "apps/server/api/tools.h"

namespace xlstm::server::api {
namespace {

/// These routes do not need it: there is one model.
void check_model_if_given(ObjectReader& body, const Context& context) {
  if (body.value("model") != nullptr) check_model(body, context);
}

std::string read_text(ObjectReader& body, const Context& context) {
  if (body.has("messages")) return render(context, read_conversation(body, context.options.limits));
  if (auto prompt = body.text("prompt")) return std::move(*prompt);
  return body.required_text("content");
}

Json pieces_of(const tokenizer::Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  Json pieces = Json::array();
  for (const TokenId id : ids) {
    Json bytes = Json::array();
    for (const char c : tokenizer.token_bytes(id)) bytes.push_back(static_cast<unsigned char>(c));
    pieces.push_back({{"id", id}, {"piece", tokenizer.decode({id})}, {"bytes", std::move(bytes)}});
  }
  return pieces;
}

}  // namespace

void tokenize(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const Json json = parse_json(exchange->request().body, context.options.limits);
  ObjectReader body(json);
  check_model_if_given(body, context);
  const std::string text = read_text(body, context);
  const bool with_bos = body.boolean("add_special_tokens").value_or(true);
  const bool with_pieces = body.boolean("with_pieces").value_or(false);
  body.finish();
  const std::vector<TokenId> ids = encode_prompt(context, text, with_bos, "content");
  Json made{{"tokens", ids}, {"count", ids.size()}};
  if (with_pieces) made["pieces"] = pieces_of(context.service.tokenizer(), ids);
  respond_json(*exchange, made);
}

void detokenize(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const Json json = parse_json(exchange->request().body, context.options.limits);
  ObjectReader body(json);
  check_model_if_given(body, context);
  const Json* const tokens = body.array("tokens");
  if (tokens == nullptr)
    throw ApiError(400, "missing_parameter", "tokens", "tokens: expected a list of ids but got nothing");
  body.finish();
  const tokenizer::Tokenizer& tokenizer = context.service.tokenizer();
  const std::vector<TokenId> ids = read_ids(*tokens, "tokens", context);
  for (const TokenId id : ids) {
    if (static_cast<std::size_t>(id) >= tokenizer.vocab_size()) {
      refuse("tokens", "ids below the tokenizer's " + std::to_string(tokenizer.vocab_size()), id);
    }
  }
  respond_json(*exchange, {{"content", tokenizer.decode(ids)}});
}

void apply_template(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const Json json = parse_json(exchange->request().body, context.options.limits);
  ObjectReader body(json);
  check_model_if_given(body, context);
  text::ChatRequest request = read_conversation(body, context.options.limits);
  request.tools = read_tools(body, context.options.limits).tools;
  body.finish();
  respond_json(*exchange, {{"prompt", render(context, request)}});
}

}  // namespace xlstm::server::api
