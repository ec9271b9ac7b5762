#include "apps/cli/conversation.h"

#include <algorithm>
#include <fstream>
#include <system_error>
#include <utility>

#include "apps/cli/messages.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

// What /undo may keep. A state is small beside the weights, but not free: 128 MiB for a 7b model.
constexpr std::size_t kMostPastStates = 64;
constexpr std::size_t kMostPastBytes = std::size_t{1} << 30;

std::filesystem::path messages_path(std::filesystem::path path) { return path += ".messages.json"; }

/// Whole or not at all.
void write_messages(const std::filesystem::path& path, const nlohmann::ordered_json& messages) {
  const std::filesystem::path temporary = path.string() + ".new";
  std::ofstream file(temporary, std::ios::binary);
  file << messages.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(temporary, path, error);
  if (file && !error) return;
  std::error_code ignored;
  std::filesystem::remove(temporary, ignored);
  fail(ErrorCode::internal, path.string(), "expected to write the messages but got ",
       error ? error.message() : "an error of the system");
}

/// ids are those that the session has read, and more.
bool goes_on(const engine::Session& session, std::span<const TokenId> ids) {
  const std::vector<TokenId>& read = session.ids();
  return read.size() < ids.size() && std::equal(read.begin(), read.end(), ids.begin());
}

}  // namespace

Conversation::Conversation(engine::Engine& engine, const text::ChatTemplate* chat_template, const std::string& system)
    : engine_(engine), template_(chat_template), now_{engine.new_session(), {}} {
  if (!system.empty()) first_messages_.push_back({{"role", "system"}, {"content", system}});
  now_.messages = first_messages_;
}

void Conversation::remember() {
  const std::size_t state_bytes = std::max<std::size_t>(engine_.state_nbytes(), 1);
  const std::size_t most = std::clamp<std::size_t>(kMostPastBytes / state_bytes, 1, kMostPastStates);
  if (past_.size() >= most) past_.erase(past_.begin());
  past_.push_back({now_.session.fork(), now_.messages});
}

generation::Result Conversation::turn(const std::string& text, generation::Request request,
                                      const generation::Callbacks& callbacks) {
  read_again_ = 0;
  remember();
  try {
    generation::Result result =
        template_ ? message_turn(text, request, callbacks) : plain_turn(text + "\n", std::move(request), callbacks);
    if (result.finish_reason == generation::FinishReason::cancelled && result.ids.empty()) undo();
    return result;
  } catch (...) {
    undo();
    throw;
  }
}

generation::Result Conversation::plain_turn(const std::string& text, generation::Request request,
                                            const generation::Callbacks& callbacks) {
  engine::Session& session = now_.session;
  request.prompt = engine_.encode(text, /*with_bos=*/session.ids().empty());
  request.history = session.ids();
  request.sampling.seed += session.ids().size();
  generation::Result result = engine_.generate(session, request, callbacks);
  if (!result.ids.empty()) engine_.step(session, result.ids.back());  // sampled, but not read yet
  return result;
}

generation::Result Conversation::message_turn(const std::string& text, const generation::Request& request,
                                              const generation::Callbacks& callbacks) {
  Json messages = now_.messages;
  messages.push_back({{"role", "user"}, {"content", text}});
  const std::vector<TokenId> ids = render(messages);
  return_to(ids);
  generation::Result result = answer(ids, request, callbacks);
  const bool stopped = result.finish_reason == generation::FinishReason::stop_token;
  if (!result.ids.empty() && !stopped) engine_.step(now_.session, result.ids.back());
  messages.push_back({{"role", "assistant"}, {"content", result.text}});
  now_.messages = std::move(messages);
  return result;
}

std::vector<TokenId> Conversation::render(const Json& messages) const {
  text::ChatRequest request;
  request.messages = messages;
  request.add_generation_prompt = true;
  return engine_.encode(template_->render(request), /*with_bos=*/true);
}

/// To the state that has read most of `ids`: usually the one there is, else one of an earlier place.
void Conversation::return_to(std::span<const TokenId> ids) {
  if (goes_on(now_.session, ids)) return;
  const engine::Session* best = nullptr;
  const auto offer = [&](const engine::Session& session) {
    if (goes_on(session, ids) && (!best || session.ids().size() > best->ids().size())) best = &session;
  };
  if (before_answer_) offer(*before_answer_);
  for (const Moment& moment : past_) offer(moment.session);
  const std::size_t read = std::min(now_.session.ids().size(), ids.size());
  now_.session = best ? best->fork() : engine_.new_session();
  read_again_ = read - std::min(read, now_.session.ids().size());
}

/// Reads what the state lacks of `ids`, then answers.
generation::Result Conversation::answer(std::span<const TokenId> ids, generation::Request request,
                                        const generation::Callbacks& callbacks) {
  engine::Session& session = now_.session;
  request.sampling.seed += ids.size();
  generation::Request reading;
  reading.prompt.assign(ids.begin() + std::ssize(session.ids()), ids.end());
  reading.max_tokens = 0;
  generation::Result read = engine_.generate(session, reading, callbacks);
  if (read.finish_reason == generation::FinishReason::cancelled) return read;
  before_answer_ = session.fork();
  request.logits = session.logits();
  generation::Result result = engine_.generate(session, request, callbacks);
  result.timings.prompt_tokens = read.timings.prompt_tokens;
  result.timings.prefill_seconds = read.timings.prefill_seconds;
  result.timings.time_to_first_token_seconds += read.timings.prefill_seconds;
  return result;
}

bool Conversation::undo() {
  if (past_.empty()) return false;
  now_ = std::move(past_.back());
  past_.pop_back();
  return true;
}

void Conversation::reset() {
  remember();
  now_ = {engine_.new_session(), first_messages_};
}

void Conversation::save(const std::filesystem::path& path) {
  engine_.save(now_.session, path);
  if (template_) write_messages(messages_path(path), now_.messages);
}

void Conversation::load(const std::filesystem::path& path) {
  engine::Session loaded = engine_.restore(path);
  Json messages = template_ ? read_json_array(messages_path(path).string()) : Json();
  remember();
  now_ = {std::move(loaded), std::move(messages)};
}

}  // namespace xlstm::cli
