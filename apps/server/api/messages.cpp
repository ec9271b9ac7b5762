#include "apps/server/api/messages.h"

#include <utility>

#include "apps/server/api/answers.h"
#include "apps/server/api/items.h"
#include "apps/server/api/json_text.h"
#include "apps/server/api/messages_request.h"
#include "apps/server/api/respond.h"
#include "apps/server/api/usage.h"

namespace xlstm::server::api {
namespace {

/// What of a request the answer needs to know.
struct MessageShape {
  std::string id = make_id("msg_");
  ToolUse tools;
  std::size_t prompt_tokens = 0;
  std::vector<std::string> stop_strings;

  explicit MessageShape(const MessagesRequest& request)
      : tools(request.tools),
        prompt_tokens(request.submission.request.prompt.size()),
        stop_strings(request.submission.request.stop_strings) {}
};

Json message_json(const Context& context, const MessageShape& shape) {
  return {
      {"id", shape.id},           {"type", "message"},      {"role", "assistant"},     {"model", context.options.model},
      {"content", Json::array()}, {"stop_reason", nullptr}, {"stop_sequence", nullptr}};
}

/// What was found in the cache counts apart.
Json usage_json(const Usage& usage) {
  return {{"input_tokens", usage.prompt_tokens - usage.cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", usage.cached_tokens},
          {"output_tokens", usage.completion_tokens}};
}

/// The stop string that stands where the text was cut, null for none.
Json stop_sequence(const Context& context, const MessageShape& shape, const generation::Result& result) {
  if (result.finish_reason != generation::FinishReason::stop_string) return nullptr;
  const std::string all = context.service.tokenizer().decode(result.ids);
  for (const std::string& stop : shape.stop_strings) {
    if (all.size() >= result.text.size() && all.compare(result.text.size(), stop.size(), stop) == 0) return stop;
  }
  return nullptr;
}

Json stop_delta(const Context& context, const MessageShape& shape, const generation::Result& result, bool called) {
  const char* reason = called ? "tool_use" : "end_turn";
  if (result.finish_reason == generation::FinishReason::length) reason = "max_tokens";
  if (result.finish_reason == generation::FinishReason::stop_string) reason = "stop_sequence";
  return {{"stop_reason", reason}, {"stop_sequence", stop_sequence(context, shape, result)}};
}

Json block_json(const Item& item) {
  if (!item.call) return {{"type", "text"}, {"text", item.content}};
  const Json input = Json::parse(item.content, nullptr, /*allow_exceptions=*/false);  // length may have cut it
  return {{"type", "tool_use"},
          {"id", "toolu_" + item.id},
          {"name", item.name},
          {"input", input.is_object() ? input : Json::object()}};
}

class WholeMessage final : public WholeAnswer {
 public:
  WholeMessage(Context& context, std::shared_ptr<Exchange> exchange, MessageShape shape)
      : WholeAnswer(context, std::move(exchange), ErrorForm::anthropic), shape_(std::move(shape)) {}

  void on_end(std::vector<engine::Outcome> outcomes) override {
    const generation::Result& result = outcomes.front().samples.front().result;
    ItemBuilder items(shape_.tools, nullptr);
    items.push(result.text);
    items.finish();
    Json made = message_json(context(), shape_);
    for (const Item& item : items.items()) made["content"].push_back(block_json(item));
    made.update(stop_delta(context(), shape_, result, items.called()));
    made["usage"] = usage_json(Usage::of(outcomes));
    respond(made);
  }

 private:
  MessageShape shape_;
};

class StreamedMessage final : public StreamedAnswer, private ItemListener {
 public:
  StreamedMessage(Context& context, std::shared_ptr<Exchange> exchange, MessageShape shape)
      : StreamedAnswer(context, std::move(exchange), ErrorForm::anthropic),
        shape_(std::move(shape)),
        items_(shape_.tools, this) {}

  void on_token(std::size_t /*choice*/, const generation::Token& token) override {
    begin();
    items_.push(token.text);
  }
  void on_end(std::vector<engine::Outcome> outcomes) override {
    begin();
    items_.finish();
    const generation::Result& result = outcomes.front().samples.front().result;
    send("message_delta", {{"delta", stop_delta(context(), shape_, result, items_.called())},
                           {"usage", usage_json(Usage::of(outcomes))}});
    send("message_stop", Json::object());
    stream().end();
  }

 private:
  void send(const char* type, const Json& more) {
    Json event{{"type", type}};
    event.update(more);
    stream().event(type, dump(event));
  }
  void begin() {
    if (std::exchange(begun_, true)) return;
    Json made = message_json(context(), shape_);
    made["usage"] = usage_json({shape_.prompt_tokens, 0, 0});  // what was cached is told at the end
    send("message_start", {{"message", std::move(made)}});
  }
  void on_open(std::size_t index, const Item& item) override {
    send("content_block_start", {{"index", index}, {"content_block", block_json(item)}});
  }
  void on_delta(std::size_t index, const Item& item, std::string_view delta) override {
    // Written by hand: it comes with every token.
    std::string json = "{\"type\":\"content_block_delta\",\"index\":" + std::to_string(index);
    json += item.call ? ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":"
                      : ",\"delta\":{\"type\":\"text_delta\",\"text\":";
    append_json_string(json, delta);
    stream().event("content_block_delta", json += "}}");
  }
  void on_close(std::size_t index, const Item& /*item*/) override { send("content_block_stop", {{"index", index}}); }

  MessageShape shape_;
  ItemBuilder items_;
  bool begun_ = false;
};

}  // namespace

void message(Context& context, const std::shared_ptr<Exchange>& exchange) {
  MessagesRequest request =
      read_messages_request(parse_json(exchange->request().body, context.options.limits), context);
  MessageShape shape(request);
  std::shared_ptr<Answer> answer;
  if (request.stream) {
    answer = std::make_shared<StreamedMessage>(context, exchange, std::move(shape));
  } else {
    answer = std::make_shared<WholeMessage>(context, exchange, std::move(shape));
  }
  std::vector<engine::Submission> submissions;
  submissions.push_back(std::move(request.submission));
  run(context, exchange, std::move(submissions), std::move(answer));
}

void count_message_tokens(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const Json json = parse_json(exchange->request().body, context.options.limits);
  respond_json(*exchange, {{"input_tokens", read_counted_messages(json, context).size()}});
}

}  // namespace xlstm::server::api
