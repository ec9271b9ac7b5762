#include "apps/server/api/completion_request.h"

#include <utility>

#include "apps/server/api/sampling_fields.h"

namespace xlstm::server::api {
namespace {

void read_extras(ObjectReader& body, const Context& context, CompletionRequest& made, engine::Submission& each) {
  const StreamFields stream = read_stream(body);
  made.stream = stream.stream;
  made.include_usage = stream.include_usage;
  made.echo = each.request.echo = body.boolean("echo").value_or(false);
  made.return_state = body.boolean("return_state").value_or(false);
  each.request.logprobs = body.integer("logprobs", 0, context.options.limits.top_logprobs).value_or(-1);
  if (made.echo) each.prompt_logprobs = each.request.logprobs;
  if (made.stream && each.best_of > 0) refuse("best_of", "no best_of beside a stream", each.best_of);
  if (made.return_state && (made.stream ? each.num_samples > 1 : each.best_of > 0)) {
    refuse("return_state", "one choice", true);
  }
}

}  // namespace

StreamFields read_stream(ObjectReader& body) {
  StreamFields made;
  made.stream = body.boolean("stream").value_or(false);
  const Json* const options = body.object("stream_options");
  if (options == nullptr) return made;
  if (!made.stream) refuse(body.name("stream_options"), "\"stream\": true beside it", *options);
  ObjectReader reader(*options, body.name("stream_options"));
  made.include_usage = reader.boolean("include_usage").value_or(false);
  reader.ignore({"include_obfuscation"});  // padding against those who watch lengths: none is added
  reader.finish();
  return made;
}

CompletionRequest read_completion_request(const Json& json, Context& context) {
  ObjectReader body(json);
  check_model(body, context);
  body.refuse_unsupported({"suffix"});
  body.ignore({"user", "metadata"});
  const Limits& limits = context.options.limits;
  CompletionRequest made;
  engine::Submission each;
  const std::optional<std::string> state = body.text("state");
  std::optional<KeptState> kept;
  if (state) kept = context.states.get(*state, "state");
  std::vector<std::vector<TokenId>> prompts;
  if (!kept || body.has("prompt")) {
    prompts = read_prompts(body, "prompt", context, /*with_bos=*/!kept, limits.prompts);
  } else {
    prompts.emplace_back();  // it goes on with what comes next
  }
  read_choices(body, limits, prompts.size(), each);
  each.request.max_tokens = read_max_tokens(body, "max_tokens", context.options.completion_max_tokens, limits);
  read_sampling(body, context, each.request);
  read_extras(body, context, made, each);
  read_constraint(body, context, each.request);
  body.finish();
  for (std::vector<TokenId>& prompt : prompts) {
    made.submissions.push_back(each);
    made.submissions.back().request.prompt = std::move(prompt);
    if (kept) begin_at(*kept, made.submissions.back());
  }
  return made;
}

}  // namespace xlstm::server::api
