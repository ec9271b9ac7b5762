#include "apps/server/api/completions.h"

#include <algorithm>
#include <utility>

#include "apps/server/api/answers.h"
#include "apps/server/api/completion_request.h"
#include "apps/server/api/json_text.h"
#include "apps/server/api/usage.h"

namespace xlstm::server::api {
namespace {

/// What of a request the answer needs to know.
struct CompletionShape {
  std::string id = make_id("cmpl-");
  std::int64_t created = std::time(nullptr);
  std::size_t choices_each = 1;
  bool include_usage = false, return_state = false, logprobs = false, echo = false;
  std::vector<TokenId> stop_ids;
  std::vector<std::vector<TokenId>> prompts;
  std::vector<std::optional<scheduler::Start>> starts;

  explicit CompletionShape(const CompletionRequest& request)
      : choices_each(request.choices_each()),
        include_usage(request.include_usage),
        return_state(request.return_state),
        logprobs(request.submissions.front().request.logprobs >= 0),
        echo(request.echo),
        stop_ids(request.submissions.front().request.stop_ids) {
    for (const engine::Submission& submission : request.submissions) {
      prompts.push_back(submission.request.prompt);
      starts.push_back(submission.start);
    }
  }
  Json head(const Context& context) const {
    return {{"id", id},
            {"object", "text_completion"},
            {"created", created},
            {"model", context.options.model},
            {"system_fingerprint", context.fingerprint}};
  }
};

void add_prompt(CompletionLogProbs& logprobs, const std::vector<TokenId>& prompt, const engine::Outcome& outcome,
                const tokenizer::Tokenizer& tokenizer) {
  for (std::size_t i = 0; i < prompt.size() && i < outcome.prompt_logprobs.size(); ++i) {
    if (!tokenizer.is_special(prompt[i])) logprobs.add(prompt[i], outcome.prompt_logprobs[i]);
  }
}

class WholeCompletion final : public WholeAnswer {
 public:
  WholeCompletion(Context& context, std::shared_ptr<Exchange> exchange, CompletionShape shape)
      : WholeAnswer(context, std::move(exchange), ErrorForm::openai), shape_(std::move(shape)) {}

  void on_end(std::vector<engine::Outcome> outcomes) override {
    Json body = shape_.head(context());
    Json& choices = body["choices"] = Json::array();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      for (const scheduler::Sample& sample : outcomes[i].samples) {
        choices.push_back(choice(choices.size(), i, outcomes[i], sample));
      }
    }
    body["usage"] = Usage::of(outcomes).json();
    respond(body);
  }

 private:
  Json choice(std::size_t index, std::size_t prompt, const engine::Outcome& outcome, const scheduler::Sample& sample) {
    Json made{{"index", index},
              {"text", sample.result.text},
              {"logprobs", shape_.logprobs ? logprobs(prompt, outcome, sample) : Json(nullptr)},
              {"finish_reason", finish_reason(sample.result.finish_reason)}};
    if (shape_.return_state) {
      made["state_id"] = context().states.put(keep_sample(sample, shape_.starts[prompt], shape_.prompts[prompt]));
    }
    return made;
  }
  Json logprobs(std::size_t prompt, const engine::Outcome& outcome, const scheduler::Sample& sample) {
    const tokenizer::Tokenizer& tokenizer = context().service.tokenizer();
    CompletionLogProbs made(tokenizer);
    if (shape_.echo) add_prompt(made, shape_.prompts[prompt], outcome, tokenizer);
    for (std::size_t i = 0; i < sample.result.logprobs.size(); ++i) {
      if (!is_stop(shape_.stop_ids, sample.result.ids[i])) made.add(sample.result.ids[i], sample.result.logprobs[i]);
    }
    return made.take();
  }

  CompletionShape shape_;
};

class StreamedCompletion final : public StreamedAnswer {
 public:
  StreamedCompletion(Context& context, std::shared_ptr<Exchange> exchange, CompletionShape shape)
      : StreamedAnswer(context, std::move(exchange), ErrorForm::openai), shape_(std::move(shape)) {
    prefix_ = dump(shape_.head(context));
    prefix_.back() = ',';  // in place of its end
    prefix_ += "\"choices\":[{\"index\":";
    const std::size_t choices = shape_.choices_each * shape_.prompts.size();
    for (std::size_t i = 0; i < choices; ++i) logprobs_.emplace_back(context.service.tokenizer());
    sent_.resize(choices);
  }

  void on_token(std::size_t choice, const generation::Token& token) override {
    sent_[choice] += token.text.size();
    const bool has_logprobs = shape_.logprobs && !is_stop(shape_.stop_ids, token.id);
    if (has_logprobs) logprobs_[choice].add(token.id, token.logprobs);
    if (token.text.empty() && !has_logprobs) return;
    send(choice, token.text, has_logprobs ? dump(logprobs_[choice].take()) : "null", "null", "");
  }
  void on_end(std::vector<engine::Outcome> outcomes) override {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      for (const scheduler::Sample& sample : outcomes[i].samples) finish(i, sample);
    }
    if (shape_.include_usage) {
      Json last = shape_.head(context());
      last["choices"] = Json::array();
      last["usage"] = Usage::of(outcomes).json();
      stream().data(dump(last));
    }
    stream().data("[DONE]");
    stream().end();
  }

 private:
  void finish(std::size_t prompt, const scheduler::Sample& sample) {
    const std::size_t choice = prompt * shape_.choices_each + sample.number;
    std::string more;
    if (shape_.return_state) {
      more = ",\"state_id\":";
      append_json_string(more,
                         context().states.put(keep_sample(sample, shape_.starts[prompt], shape_.prompts[prompt])));
    }
    const std::string& text = sample.result.text;  // an echo without a token has not come yet
    send(choice, text.substr(std::min(sent_[choice], text.size())), "null",
         dump(finish_reason(sample.result.finish_reason)), more);
  }
  void send(std::size_t choice, std::string_view text, std::string_view logprobs, std::string_view reason,
            std::string_view more) {
    std::string json = prefix_;
    json += std::to_string(choice);
    json += ",\"text\":";
    append_json_string(json, text);
    ((json += ",\"logprobs\":") += logprobs) += ",\"finish_reason\":";
    (json += reason) += more;
    json += shape_.include_usage ? "}],\"usage\":null}" : "}]}";
    stream().data(json);
  }

  CompletionShape shape_;
  std::string prefix_;                        // of every chunk, up to the choice's index
  std::vector<CompletionLogProbs> logprobs_;  // of each choice
  std::vector<std::size_t> sent_;             // bytes of its text
};

}  // namespace

void complete(Context& context, const std::shared_ptr<Exchange>& exchange) {
  CompletionRequest request =
      read_completion_request(parse_json(exchange->request().body, context.options.limits), context);
  if (request.stream && request.echo && request.submissions.front().prompt_logprobs >= 0) {
    throw ApiError(400, "unsupported_value", "echo", "echo: expected no log-probabilities beside it in a stream");
  }
  CompletionShape shape(request);
  std::shared_ptr<Answer> answer;
  if (request.stream) {
    answer = std::make_shared<StreamedCompletion>(context, exchange, std::move(shape));
  } else {
    answer = std::make_shared<WholeCompletion>(context, exchange, std::move(shape));
  }
  run(context, exchange, std::move(request.submissions), std::move(answer));
}

}  // namespace xlstm::server::api
