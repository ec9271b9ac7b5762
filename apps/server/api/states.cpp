#include "apps/server/api/states.h"

#include <utility>

#include "apps/server/api/answers.h"
#include "apps/server/api/chat.h"
#include "apps/server/api/chat_request.h"
#include "apps/server/api/respond.h"
#include "apps/server/api/sampling_fields.h"
#include "apps/server/api/state_transfer.h"

namespace xlstm::server::api {
namespace {

Json state_json(const StateStore::Listed& state) {
  return {{"id", state.id},
          {"object", "state"},
          {"tokens", state.tokens},
          {"bytes", state.bytes},
          {"created", state.created}};
}

/// Keeps a state and tells of it.
void keep(Context& context, Exchange& exchange, KeptState state) {
  const std::string id = context.states.put(std::move(state));
  // Another request may have pushed it out already: then the client's next request says so.
  respond_json(exchange, state_json(context.states.find(id).value_or(StateStore::Listed{id, 0, 0, 0})));
}

const std::string& path_id(const Exchange& exchange) { return exchange.request().parameters.at("id"); }

class StateAnswer final : public WholeAnswer {
 public:
  StateAnswer(Context& context, std::shared_ptr<Exchange> exchange, const engine::Submission& submission)
      : WholeAnswer(context, exchange, ErrorForm::openai),
        exchange_(std::move(exchange)),
        prompt_(submission.request.prompt),
        start_(submission.start) {}

  void on_end(std::vector<engine::Outcome> outcomes) override {
    keep(context(), *exchange_, keep_sample(outcomes.front().samples.front(), start_, prompt_));
  }

 private:
  std::shared_ptr<Exchange> exchange_;
  std::vector<TokenId> prompt_;
  std::optional<scheduler::Start> start_;
};

/// The prompt of a body with either `prompt` or `messages`.
void read_state_prompt(ObjectReader& body, Context& context, engine::Submission& submission) {
  std::optional<KeptState> state;
  if (const auto id = body.text("state")) state = context.states.get(*id, "state");
  if (body.has("prompt") == body.has("messages")) {
    throw ApiError(400, "invalid_value", "prompt", "prompt: expected either \"prompt\" or \"messages\"");
  }
  if (!body.has("messages")) {
    submission.request.prompt = std::move(read_prompts(body, "prompt", context, /*with_bos=*/!state, 1).front());
    if (state) begin_at(*state, submission);
    return;
  }
  const bool asked = body.has("add_generation_prompt");
  text::ChatRequest conversation = read_conversation(body, context.options.limits);
  if (!asked) conversation.add_generation_prompt = false;
  set_chat_prompt(context, std::move(conversation), read_tools(body, context.options.limits), submission);
  if (state && !begin_within(*state, submission)) {
    throw ApiError(
        400, "invalid_value", "state",
        "state: expected one that has read the beginning of the conversation but it has read something else");
  }
}

/// Runs on the engine's thread; what it throws is answered.
template <class Action>
void on_engine(Context& context, const std::shared_ptr<Exchange>& exchange, Action action) {
  context.service.call([exchange, action = std::move(action)](engine::Engine& engine, scheduler::Scheduler&) {
    with_errors([&](const std::shared_ptr<Exchange>& same) { action(engine, *same); }, ErrorForm::openai)(exchange);
  });
}

}  // namespace

void create_state(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const Json json = parse_json(exchange->request().body, context.options.limits);
  ObjectReader body(json);
  check_model(body, context);
  engine::Submission submission;
  submission.request.max_tokens = 0;
  read_state_prompt(body, context, submission);
  body.finish();
  auto answer = std::make_shared<StateAnswer>(context, exchange, submission);
  std::vector<engine::Submission> submissions;
  submissions.push_back(std::move(submission));
  run(context, exchange, std::move(submissions), std::move(answer));
}

void list_states(Context& context, const std::shared_ptr<Exchange>& exchange) {
  Json data = Json::array();
  for (const StateStore::Listed& state : context.states.list()) data.push_back(state_json(state));
  respond_json(*exchange, {{"object", "list"}, {"data", std::move(data)}});
}

void get_state(Context& context, const std::shared_ptr<Exchange>& exchange) {
  context.states.get(path_id(*exchange), "id");  // counts as a use
  const auto state = context.states.find(path_id(*exchange));
  if (!state) throw ApiError(404, "state_not_found", "id", "id: the state has just gone");
  respond_json(*exchange, state_json(*state));
}

void delete_state(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const std::string& id = path_id(*exchange);
  if (!context.states.erase(id)) context.states.get(id, "id");
  respond_json(*exchange, {{"id", id}, {"object", "state.deleted"}, {"deleted", true}});
}

void fork_state(Context& context, const std::shared_ptr<Exchange>& exchange) {
  KeptState state = context.states.get(path_id(*exchange), "id");
  state.created = std::time(nullptr);
  keep(context, *exchange, std::move(state));
}

void export_state(Context& context, const std::shared_ptr<Exchange>& exchange) {
  on_engine(context, exchange,
            [&context, state = context.states.get(path_id(*exchange), "id")](engine::Engine& engine, Exchange& to) {
              HttpResponse response;
              response.content_type = "application/octet-stream";
              response.headers = {{"Content-Disposition", "attachment; filename=\"state.xst\""}};
              response.body = to_state_file(engine, state, context.options.scratch);
              to.respond(std::move(response));
            });
}

void import_state(Context& context, const std::shared_ptr<Exchange>& exchange) {
  on_engine(context, exchange, [&context](engine::Engine& engine, Exchange& from) {
    keep(context, from, from_state_file(engine, from.request().body, context.options.scratch));
  });
}

}  // namespace xlstm::server::api
