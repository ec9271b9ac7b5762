#include "apps/server/api/chat_answer.h"

#include <utility>

#include "apps/server/api/answers.h"
#include "apps/server/api/usage.h"

namespace xlstm::server::api {
namespace {

Json head(const Context& context, const ChatShape& shape, const char* object) {
  return {{"id", shape.id},
          {"object", object},
          {"created", shape.created},
          {"model", context.options.model},
          {"system_fingerprint", context.fingerprint}};
}

/// A call that length or a stop string cut is still one, but the client has to know that it is cut.
std::string chat_finish_reason(const scheduler::Sample& sample, bool called) {
  std::string reason = finish_reason(sample.result.finish_reason);
  return called && reason == "stop" ? "tool_calls" : reason;
}

std::string keep(Context& context, const ChatShape& shape, const scheduler::Sample& sample) {
  return context.states.put(keep_sample(sample, shape.start, shape.prompt));
}

class WholeChat final : public WholeAnswer {
 public:
  WholeChat(Context& context, std::shared_ptr<Exchange> exchange, ChatShape shape)
      : WholeAnswer(context, std::move(exchange), ErrorForm::openai), shape_(std::move(shape)) {}

  void on_end(std::vector<engine::Outcome> outcomes) override {
    Json body = head(context(), shape_, "chat.completion");
    Json& choices = body["choices"] = Json::array();
    for (const scheduler::Sample& sample : outcomes.front().samples) {
      choices.push_back(choice(choices.size(), sample));
    }
    body["usage"] = Usage::of(outcomes).json();
    respond(body);
  }

 private:
  Json choice(std::size_t index, const scheduler::Sample& sample) {
    bool called = false;
    Json made{{"index", index}, {"message", message(sample.result.text, called)}, {"logprobs", logprobs(sample)}};
    made["finish_reason"] = chat_finish_reason(sample, called);
    if (shape_.return_state) made["state_id"] = keep(context(), shape_, sample);
    return made;
  }
  Json message(const std::string& text, bool& called) const {
    Json made{{"role", "assistant"}, {"content", text}, {"refusal", nullptr}};
    if (!shape_.tools.may_call()) return made;
    ToolCallParser parser(shape_.tools);
    std::vector<AnswerPart> parts = parser.push(text);
    for (AnswerPart& part : parser.finish()) parts.push_back(std::move(part));
    called = parser.called();
    if (!called) return made;
    std::string content;
    Json calls = Json::array();
    for (const AnswerPart& part : parts) {
      if (part.kind == AnswerPart::Kind::content) content += part.text;
      if (part.kind == AnswerPart::Kind::call) {
        calls.push_back(
            {{"id", make_id("call_")}, {"type", "function"}, {"function", {{"name", part.text}, {"arguments", ""}}}});
      }
      if (part.kind == AnswerPart::Kind::arguments) {
        calls.back()["function"]["arguments"].get_ref<std::string&>() += part.text;
      }
    }
    made["content"] = content.empty() ? Json(nullptr) : Json(content);
    made["tool_calls"] = std::move(calls);
    return made;
  }
  Json logprobs(const scheduler::Sample& sample) {
    if (!shape_.logprobs) return nullptr;
    Json content = Json::array();
    for (std::size_t i = 0; i < sample.result.logprobs.size(); ++i) {
      const TokenId id = sample.result.ids[i];
      if (is_stop(shape_.stop_ids, id)) continue;
      content.push_back(chat_logprob(context().service.tokenizer(), id, sample.result.logprobs[i]));
    }
    return {{"content", std::move(content)}, {"refusal", nullptr}};
  }

  ChatShape shape_;
};

class StreamedChat final : public StreamedAnswer {
 public:
  StreamedChat(Context& context, std::shared_ptr<Exchange> exchange, ChatShape shape)
      : StreamedAnswer(context, std::move(exchange), ErrorForm::openai), shape_(std::move(shape)) {
    prefix_ = dump(head(context, shape_, "chat.completion.chunk"));
    prefix_.back() = ',';  // in place of its end
    prefix_ += "\"choices\":[{\"index\":";
    for (std::size_t i = 0; i < shape_.choices; ++i) choices_.emplace_back(shape_.tools);
  }

  void on_token(std::size_t choice, const generation::Token& token) override {
    begin(choice);
    std::string logprobs = "null";
    if (shape_.logprobs && !is_stop(shape_.stop_ids, token.id)) {
      const Json entry = chat_logprob(context().service.tokenizer(), token.id, *token.logprobs);
      logprobs = "{\"content\":[" + dump(entry) + "],\"refusal\":null}";
    }
    if (!shape_.tools.may_call()) {
      if (!token.text.empty() || logprobs != "null") send_content(choice, token.text, logprobs);
      return;
    }
    if (logprobs != "null") send(choice, "{}", logprobs, "null", "");
    for (const AnswerPart& part : choices_[choice].parser.push(token.text)) send_part(choice, part);
  }
  void on_end(std::vector<engine::Outcome> outcomes) override {
    for (const scheduler::Sample& sample : outcomes.front().samples) finish(sample);
    if (shape_.include_usage) {
      Json last = head(context(), shape_, "chat.completion.chunk");
      last["choices"] = Json::array();
      last["usage"] = Usage::of(outcomes).json();
      stream().data(dump(last));
    }
    stream().data("[DONE]");
    stream().end();
  }

 private:
  struct Choice {
    explicit Choice(const ToolUse& tools) : parser(tools) {}
    bool begun = false;
    int calls = 0;
    ToolCallParser parser;
  };

  void begin(std::size_t choice) {
    if (std::exchange(choices_[choice].begun, true)) return;
    send(choice, R"({"role":"assistant","content":"","refusal":null})", "null", "null", "");
  }
  void finish(const scheduler::Sample& sample) {
    const std::size_t choice = sample.number;
    begin(choice);
    if (shape_.tools.may_call()) {
      for (const AnswerPart& part : choices_[choice].parser.finish()) send_part(choice, part);
    }
    std::string more;
    if (shape_.return_state) {
      more = ",\"state_id\":";
      append_json_string(more, keep(context(), shape_, sample));
    }
    send(choice, "{}", "null", dump(chat_finish_reason(sample, choices_[choice].parser.called())), more);
  }
  void send_content(std::size_t choice, std::string_view text, std::string_view logprobs) {
    std::string delta = "{\"content\":";
    append_json_string(delta, text);
    send(choice, delta += '}', logprobs, "null", "");
  }
  void send_part(std::size_t choice, const AnswerPart& part) {
    if (part.kind == AnswerPart::Kind::content) return send_content(choice, part.text, "null");
    int& calls = choices_[choice].calls;
    Json call{{"index", calls - 1}, {"function", {{"arguments", part.text}}}};
    if (part.kind == AnswerPart::Kind::call) {
      call = {{"index", calls++},
              {"id", make_id("call_")},
              {"type", "function"},
              {"function", {{"name", part.text}, {"arguments", ""}}}};
    }
    send(choice, dump({{"tool_calls", Json::array({call})}}), "null", "null", "");
  }
  void send(std::size_t choice, std::string_view delta, std::string_view logprobs, std::string_view reason,
            std::string_view more) {
    std::string json = prefix_;
    ((json += std::to_string(choice)) += ",\"delta\":") += delta;
    ((json += ",\"logprobs\":") += logprobs) += ",\"finish_reason\":";
    (json += reason) += more;
    json += shape_.include_usage ? "}],\"usage\":null}" : "}]}";
    stream().data(json);
  }

  ChatShape shape_;
  std::string prefix_;  // of every chunk, up to the choice's index
  std::vector<Choice> choices_;
};

}  // namespace

std::shared_ptr<Answer> make_chat_answer(Context& context, std::shared_ptr<Exchange> exchange, ChatShape shape,
                                         bool stream) {
  if (stream) return std::make_shared<StreamedChat>(context, std::move(exchange), std::move(shape));
  return std::make_shared<WholeChat>(context, std::move(exchange), std::move(shape));
}

}  // namespace xlstm::server::api
