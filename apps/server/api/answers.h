// What every streamed answer does alike.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "apps/server/api/run.h"
#include "apps/server/api/sse.h"

namespace xlstm::server::api {

/// Begins when the request is accepted, tells how far the prompt is as comments, and ends with an error event if
/// something fails.
class StreamedAnswer : public Answer {
 public:
  StreamedAnswer(Context& context, std::shared_ptr<Exchange> exchange, ErrorForm form)
      : context_(context), stream_(std::make_shared<EventStream>(std::move(exchange))), form_(form) {}

  void on_accepted() override {
    stream_->begin();
    context_.keep_alive.add(stream_);
  }
  void on_prefill(std::size_t done, std::size_t total) override {
    if (done < total) stream_->comment("prefill " + std::to_string(done) + "/" + std::to_string(total));
  }
  void on_error(const ApiError& error) override {
    const std::string body = error_body(error, form_);
    if (form_ == ErrorForm::anthropic) {
      stream_->event("error", body);
    } else {
      stream_->data(body);
    }
    stream_->end();
  }
  std::size_t pending_bytes() const override { return stream_->pending_bytes(); }

 protected:
  EventStream& stream() noexcept { return *stream_; }
  Context& context() noexcept { return context_; }

 private:
  Context& context_;
  std::shared_ptr<EventStream> stream_;
  ErrorForm form_;
};

/// What an answer in one piece does alike.
class WholeAnswer : public Answer {
 public:
  WholeAnswer(Context& context, std::shared_ptr<Exchange> exchange, ErrorForm form)
      : context_(context), exchange_(std::move(exchange)), form_(form) {}

  void on_error(const ApiError& error) override { exchange_->respond(error_response(error, form_)); }

 protected:
  void respond(const Json& body) {
    HttpResponse response;
    response.body = dump(body);
    exchange_->respond(std::move(response));
  }
  Context& context() noexcept { return context_; }

 private:
  Context& context_;
  std::shared_ptr<Exchange> exchange_;
  ErrorForm form_;
};

}  // namespace xlstm::server::api
