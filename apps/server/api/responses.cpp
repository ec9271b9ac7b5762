#include "apps/server/api/responses.h"

#include <utility>

#include "apps/server/api/answers.h"
#include "apps/server/api/items.h"
#include "apps/server/api/json_text.h"
#include "apps/server/api/respond.h"
#include "apps/server/api/responses_request.h"
#include "apps/server/api/usage.h"

namespace xlstm::server::api {
namespace {

Json text_part(const std::string& text) {
  return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
}

std::string item_id(const Item& item) { return (item.call ? "fc_" : "msg_") + item.id; }

Json item_json(const Item& item, const char* status) {
  if (item.call) {
    return {{"type", "function_call"}, {"id", item_id(item)},       {"call_id", "call_" + item.id},
            {"name", item.name},       {"arguments", item.content}, {"status", status}};
  }
  return {{"type", "message"},
          {"id", item_id(item)},
          {"role", "assistant"},
          {"status", status},
          {"content", Json::array({text_part(item.content)})}};
}

/// One response as it grows, and what is kept of it.
class Response {
 public:
  explicit Response(const ResponsesRequest& request)
      : store_(request.store),
        messages_(request.messages),
        prompt_(request.submission.request.prompt),
        start_(request.submission.start),
        echo_(request.echo) {}

  /// The object, without output and usage before the end.
  Json json(const Context& context, const char* status) const {
    Json made{{"id", id_},
              {"object", "response"},
              {"created_at", created_},
              {"status", status},
              {"error", nullptr},
              {"incomplete_details", nullptr},
              {"model", context.options.model},
              {"output", Json::array()}};
    made.update(echo_);
    made["usage"] = nullptr;
    return made;
  }

  /// The object at the end; the state is kept.
  Json finish(Context& context, const ItemBuilder& items, std::vector<engine::Outcome> outcomes) {
    const scheduler::Sample& sample = outcomes.front().samples.front();
    const bool cut = sample.result.finish_reason == generation::FinishReason::length;
    const char* const status = cut ? "incomplete" : "completed";
    Json made = json(context, status);
    if (cut) made["incomplete_details"] = {{"reason", "max_output_tokens"}};
    for (const Item& item : items.items()) {
      made["output"].push_back(item_json(item, &item == &items.items().back() ? status : "completed"));
    }
    made["usage"] = usage(Usage::of(outcomes));
    if (store_) {
      KeptState state = keep_sample(sample, start_, prompt_);
      state.messages = std::move(messages_);
      state.messages.push_back(items.message());
      state.response = made;
      context.states.put_as(id_, std::move(state));
    }
    return made;
  }

 private:
  /// What the state had read counts as cached.
  Json usage(const Usage& usage) const {
    const std::size_t started = start_ ? start_->ids.size() : 0;
    const std::size_t input = started + usage.prompt_tokens;
    return {{"input_tokens", input},
            {"input_tokens_details", {{"cached_tokens", started + usage.cached_tokens}}},
            {"output_tokens", usage.completion_tokens},
            {"output_tokens_details", {{"reasoning_tokens", 0}}},
            {"total_tokens", input + usage.completion_tokens}};
  }

  std::string id_ = make_id("resp_");
  std::int64_t created_ = std::time(nullptr);
  bool store_;
  Json messages_;
  std::vector<TokenId> prompt_;
  std::optional<scheduler::Start> start_;
  Json echo_;
};

class WholeResponse final : public WholeAnswer {
 public:
  WholeResponse(Context& context, std::shared_ptr<Exchange> exchange, const ResponsesRequest& request)
      : WholeAnswer(context, std::move(exchange), ErrorForm::openai),
        response_(request),
        items_(request.tools, nullptr) {}

  void on_end(std::vector<engine::Outcome> outcomes) override {
    items_.push(outcomes.front().samples.front().result.text);
    items_.finish();
    respond(response_.finish(context(), items_, std::move(outcomes)));
  }

 private:
  Response response_;
  ItemBuilder items_;
};

class StreamedResponse final : public StreamedAnswer, private ItemListener {
 public:
  StreamedResponse(Context& context, std::shared_ptr<Exchange> exchange, const ResponsesRequest& request)
      : StreamedAnswer(context, std::move(exchange), ErrorForm::openai),
        response_(request),
        items_(request.tools, this) {}

  void on_token(std::size_t /*choice*/, const generation::Token& token) override {
    begin();
    items_.push(token.text);
  }
  void on_end(std::vector<engine::Outcome> outcomes) override {
    begin();
    items_.finish();
    const Json made = response_.finish(context(), items_, std::move(outcomes));
    send(made["status"] == "completed" ? "response.completed" : "response.incomplete", {{"response", made}});
    stream().end();
  }
  void on_error(const ApiError& error) override {
    send(
        "error",
        {{"code", error.code}, {"message", error.what()}, {"param", error.param.empty() ? Json() : Json(error.param)}});
    stream().end();
  }

 private:
  void begin() {
    if (std::exchange(begun_, true)) return;
    send("response.created", {{"response", response_.json(context(), "in_progress")}});
    send("response.in_progress", {{"response", response_.json(context(), "in_progress")}});
  }
  void send(const char* type, Json event) {
    Json made{{"type", type}, {"sequence_number", number_++}};
    made.update(event);
    stream().event(type, dump(made));
  }
  static Json place(std::size_t index, const Item& item) {
    Json made{{"item_id", item_id(item)}, {"output_index", index}};
    if (!item.call) made["content_index"] = 0;
    return made;
  }
  void send_at(const char* type, std::size_t index, const Item& item, const Json& more) {
    Json event = place(index, item);
    event.update(more);
    send(type, std::move(event));
  }

  void on_open(std::size_t index, const Item& item) override {
    Json opened = item_json(item, "in_progress");
    if (!item.call) opened["content"] = Json::array();
    send("response.output_item.added", {{"output_index", index}, {"item", std::move(opened)}});
    if (!item.call) send_at("response.content_part.added", index, item, {{"part", text_part("")}});
  }
  void on_delta(std::size_t index, const Item& item, std::string_view delta) override {
    // Written by hand: it comes with every token.
    const char* const type = item.call ? "response.function_call_arguments.delta" : "response.output_text.delta";
    std::string json = "{\"type\":\"";
    ((json += type) += "\",\"sequence_number\":") += std::to_string(number_++);
    ((json += ",\"item_id\":\"") += item_id(item)) += "\",\"output_index\":";
    json += std::to_string(index);
    json += item.call ? ",\"delta\":" : ",\"content_index\":0,\"logprobs\":[],\"delta\":";
    append_json_string(json, delta);
    stream().event(type, json += '}');
  }
  void on_close(std::size_t index, const Item& item) override {
    if (item.call) {
      send_at("response.function_call_arguments.done", index, item, {{"name", item.name}, {"arguments", item.content}});
    } else {
      send_at("response.output_text.done", index, item, {{"text", item.content}, {"logprobs", Json::array()}});
      send_at("response.content_part.done", index, item, {{"part", text_part(item.content)}});
    }
    send("response.output_item.done", {{"output_index", index}, {"item", item_json(item, "completed")}});
  }

  Response response_;
  ItemBuilder items_;
  bool begun_ = false;
  std::size_t number_ = 0;
};

}  // namespace

void respond_to(Context& context, const std::shared_ptr<Exchange>& exchange) {
  ResponsesRequest request =
      read_responses_request(parse_json(exchange->request().body, context.options.limits), context);
  std::shared_ptr<Answer> answer;
  if (request.stream) {
    answer = std::make_shared<StreamedResponse>(context, exchange, request);
  } else {
    answer = std::make_shared<WholeResponse>(context, exchange, request);
  }
  std::vector<engine::Submission> submissions;
  submissions.push_back(std::move(request.submission));
  run(context, exchange, std::move(submissions), std::move(answer));
}

void get_response(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const KeptState state = context.states.get(exchange->request().parameters.at("id"), "response_id");
  if (state.response.is_null()) {
    throw ApiError(404, "state_not_found", "response_id", "response_id: expected a response but that is a state");
  }
  respond_json(*exchange, state.response);
}

void delete_response(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const std::string& id = exchange->request().parameters.at("id");
  if (!context.states.erase(id)) context.states.get(id, "response_id");
  respond_json(*exchange, {{"id", id}, {"object", "response"}, {"deleted", true}});
}

}  // namespace xlstm::server::api
