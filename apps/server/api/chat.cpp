#include "apps/server/api/chat.h"

#include <utility>

#include "apps/server/api/answers.h"
#include "apps/server/api/chat_answer.h"
#include "apps/server/api/completion_request.h"
#include "apps/server/api/sampling_fields.h"

namespace xlstm::server::api {
namespace {

const std::vector<std::string> kUnsupported = {
    "audio",     "functions",          "function_call", "prediction", "reasoning_effort",
    "verbosity", "web_search_options", "moderation"};

/// Fields that ask for what happens anyway.
void read_defaults(ObjectReader& body) {
  body.refuse_unsupported(kUnsupported);
  body.ignore({"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"});
  if (body.boolean("store").value_or(false)) refuse("store", "false: nothing is stored here", true);
  body.one_of("service_tier", {"auto", "default"});
  const Json* const modalities = body.array("modalities");
  if (modalities != nullptr && *modalities != Json::array({"text"})) refuse("modalities", "[\"text\"]", *modalities);
}

void read_logprobs(ObjectReader& body, const Limits& limits, generation::Request& request) {
  const bool wanted = body.boolean("logprobs").value_or(false);
  const auto top = body.integer("top_logprobs", 0, limits.top_logprobs);
  if (top && !wanted) refuse("top_logprobs", "\"logprobs\": true beside it", *top);
  if (wanted) request.logprobs = top.value_or(0);
}

std::int64_t read_chat_max_tokens(ObjectReader& body, const Context& context) {
  const Limits& limits = context.options.limits;
  const char* const newer = "max_completion_tokens";
  const bool both = body.has(newer) && body.has("max_tokens");
  const std::int64_t older = read_max_tokens(body, "max_tokens", context.options.chat_max_tokens, limits);
  const std::int64_t found = read_max_tokens(body, newer, older, limits);
  if (both && found != older) refuse("max_tokens", "the " + std::to_string(found) + " of max_completion_tokens", older);
  return found;
}

}  // namespace

void set_chat_prompt(const Context& context, text::ChatRequest conversation, const ToolUse& tools,
                     engine::Submission& submission) {
  if (tools.may_call()) {
    const std::string without = render(context, conversation);
    conversation.tools = tools.tools;
    if (render(context, conversation) == without) {
      throw ApiError(
          400, "unsupported_parameter", "tools",
          "tools: expected a model whose chat template takes tools but " + context.options.model + "'s does not");
    }
  }
  set_prompt(context, conversation, submission);
  if (tools.schema.empty()) return;
  if (submission.request.constraint != nullptr) refuse("tool_choice", "no other constraint beside it", "enforced");
  try {
    submission.request.constraint =
        context.service.engine().constraint({engine::Constraint::Kind::json_schema, tools.schema});
  } catch (const std::exception& error) {
    throw ApiError(400, "invalid_constraint", "tools", error.what());
  }
}

void chat(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const Json json = parse_json(exchange->request().body, context.options.limits);
  ObjectReader body(json);
  check_model(body, context);
  read_defaults(body);
  const Limits& limits = context.options.limits;
  engine::Submission submission;
  read_choices(body, limits, 1, submission);
  submission.request.max_tokens = read_chat_max_tokens(body, context);
  read_sampling(body, context, submission.request);
  read_logprobs(body, limits, submission.request);
  const StreamFields stream = read_stream(body);
  if (stream.stream && submission.best_of > 0) refuse("best_of", "no best_of beside a stream", submission.best_of);
  read_constraint(body, context, submission.request);
  ChatShape shape;
  shape.include_usage = stream.include_usage;
  shape.return_state = body.boolean("return_state").value_or(false);
  shape.tools = read_tools(body, limits);
  set_chat_prompt(context, read_conversation(body, limits), shape.tools, submission);
  if (const auto state = body.text("state"); state && !begin_within(context.states.get(*state, "state"), submission)) {
    throw ApiError(
        400, "invalid_value", "state",
        "state: expected one that has read the beginning of the conversation but it has read something else");
  }
  body.finish();
  shape.logprobs = submission.request.logprobs >= 0;
  shape.stop_ids = submission.request.stop_ids;
  shape.choices = submission.num_samples;
  shape.prompt = submission.request.prompt;
  shape.start = submission.start;
  std::vector<engine::Submission> submissions;
  submissions.push_back(std::move(submission));
  run(context, exchange, std::move(submissions), make_chat_answer(context, exchange, std::move(shape), stream.stream));
}

}  // namespace xlstm::server::api
