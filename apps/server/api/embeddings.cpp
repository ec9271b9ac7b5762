#include "apps/server/api/embeddings.h"

#include <openssl/evp.h>

#include <atomic>
#include <utility>

#include "apps/server/api/respond.h"
#include "apps/server/api/sampling_fields.h"
#include "xlstm/engine/embed.h"

namespace xlstm::server::api {
namespace {

std::string base64(const std::vector<float>& values) {
  const std::size_t bytes = values.size() * sizeof(float);
  std::string text((bytes + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock ends it with a zero
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(values.data()), static_cast<int>(bytes));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

/// One request's texts on their way.
class Embeddings : public std::enable_shared_from_this<Embeddings> {
 public:
  Embeddings(Context& context, std::shared_ptr<Exchange> exchange, std::vector<std::vector<TokenId>> texts,
             engine::EmbedOptions options, bool as_base64)
      : context_(context),
        exchange_(std::move(exchange)),
        texts_(std::move(texts)),
        options_(options),
        as_base64_(as_base64) {}

  void start() {
    exchange_->on_gone([weak = weak_from_this()] {
      if (const auto alive = weak.lock()) alive->gone_ = true;
    });
    next();
  }

 private:
  void next() {
    if (gone_) return;
    if (data_.size() == texts_.size()) return finish();
    tokens_ += texts_[data_.size()].size();
    engine::embed(context_.service, std::move(texts_[data_.size()]), options_,
                  [self = shared_from_this()](const std::vector<float>& found, const std::exception_ptr& fault) {
                    if (fault == nullptr) return self->take(found);
                    const ApiError error = to_api_error(fault, self->exchange_->request().request_id);
                    self->exchange_->respond(error_response(error, ErrorForm::openai));
                  });
  }
  void take(const std::vector<float>& found) {
    data_.push_back({{"object", "embedding"},
                     {"index", data_.size()},
                     {"embedding", as_base64_ ? Json(base64(found)) : Json(found)}});
    next();
  }
  void finish() {
    respond_json(*exchange_, {{"object", "list"},
                              {"data", std::move(data_)},
                              {"model", context_.options.model},
                              {"usage", {{"prompt_tokens", tokens_}, {"total_tokens", tokens_}}}});
  }

  Context& context_;
  std::shared_ptr<Exchange> exchange_;
  std::vector<std::vector<TokenId>> texts_;
  engine::EmbedOptions options_;
  bool as_base64_;
  Json data_ = Json::array();
  std::size_t tokens_ = 0;
  std::atomic<bool> gone_ = false;
};

}  // namespace

void embeddings(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const Json json = parse_json(exchange->request().body, context.options.limits);
  ObjectReader body(json);
  check_model(body, context);
  body.ignore({"user"});
  const bool as_base64 = body.one_of("encoding_format", {"float", "base64"}).value_or("float") == "base64";
  const std::int64_t size = context.service.model().config.embedding_dim;
  body.integer("dimensions", size, size);
  engine::EmbedOptions options;
  options.normalize = body.boolean("normalize").value_or(true);
  const bool last = body.one_of("pooling", {"mean", "last"}).value_or("mean") == "last";
  options.pooling = last ? engine::Pooling::last : engine::Pooling::mean;
  auto texts = read_prompts(body, "input", context, /*with_bos=*/true, context.options.limits.embeddings);
  body.finish();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty()) refuse("input", "texts that are not empty", "");
  }
  std::make_shared<Embeddings>(context, exchange, std::move(texts), options, as_base64)->start();
}

}  // namespace xlstm::server::api
