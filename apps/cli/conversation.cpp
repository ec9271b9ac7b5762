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

/// ids are those that the session has read, and more, or exactly these, with what comes next known.
bool goes_on(const engine::Session& session, std::span<const TokenId> ids) {
  const std::vector<TokenId>& read = session.ids();
  const bool fits = read.size() < ids.size() || (read.size() == ids.size() && !session.logits().empty());
  return fits && std::equal(read.begin(), read.end(), ids.begin());
}

bool came_to_nothing(const generation::Result& result) {
  return result.finish_reason == generation::FinishReason::cancelled && result.ids.empty();
}

}  // namespace

Conversation::Conversation(engine::Engine& engine, Options options)
    : engine_(engine), options_(std::move(options)), now_{engine.new_session(), {}, {}} {
  if (!options_.system.empty()) first_messages_.push_back({{"role", "system"}, {"content", options_.system}});
  now_.messages = first_messages_;
}

std::size_t Conversation::most_past() const noexcept {
  const std::size_t state_bytes = std::max<std::size_t>(engine_.state_nbytes(), 1);
  return std::clamp<std::size_t>(kMostPastBytes / state_bytes, 1, kMostPastStates);
}

std::size_t Conversation::state_bytes() const noexcept {
  return (1 + past_.size() + (before_answer_ ? 1 : 0)) * engine_.state_nbytes();
}

std::size_t Conversation::max_state_bytes() const noexcept { return (2 + most_past()) * engine_.state_nbytes(); }

void Conversation::remember(std::optional<std::string> said) {
  if (past_.size() >= most_past()) past_.erase(past_.begin());
  past_.push_back(now_.fork());
  past_.back().said = std::move(said);
}

generation::Result Conversation::turn(const std::string& text, generation::Request request,
                                      const generation::Callbacks& callbacks) {
  retries_ = 0;
  return take_turn(text, request, callbacks);
}

generation::Result Conversation::retry(generation::Request request, const generation::Callbacks& callbacks) {
  const std::string text = last_said("/retry");
  request.sampling.seed += ++retries_ << 32;  // far from the seeds of other turns
  return replace(text, request, callbacks);
}

generation::Result Conversation::edit(const std::string& text, generation::Request request,
                                      const generation::Callbacks& callbacks) {
  last_said("/edit");
  retries_ = 0;
  return replace(text, request, callbacks);
}

const std::string& Conversation::last_said(const char* command) const {
  if (past_.empty() || !past_.back().said) {
    fail(ErrorCode::invalid_argument, command, "expected a turn before it but got none");
  }
  return *past_.back().said;
}

/// In place of the last turn, which stays when this one comes to nothing.
generation::Result Conversation::replace(const std::string& text, const generation::Request& request,
                                         const generation::Callbacks& callbacks) {
  Moment answered = now_.fork(), begun = past_.back().fork();
  const auto take_back = [&] {
    past_.push_back(std::move(begun));
    now_ = std::move(answered);
  };
  undo();
  try {
    generation::Result result = take_turn(text, request, callbacks);
    if (came_to_nothing(result)) take_back();
    return result;
  } catch (...) {
    take_back();
    throw;
  }
}

generation::Result Conversation::take_turn(const std::string& text, const generation::Request& request,
                                           const generation::Callbacks& callbacks) {
  read_again_ = 0;
  remember(text);
  try {
    generation::Result result =
        options_.chat_template ? message_turn(text, request, callbacks) : plain_turn(text + "\n", request, callbacks);
    if (came_to_nothing(result)) undo();
    return result;
  } catch (...) {
    undo();
    throw;
  }
}

generation::Result Conversation::plain_turn(const std::string& text, generation::Request request,
                                            const generation::Callbacks& callbacks) {
  std::vector<TokenId> ids = now_.session.ids();
  const std::vector<TokenId> more = engine_.encode(text, /*with_bos=*/ids.empty());
  request.sampling.seed += ids.size();
  ids.insert(ids.end(), more.begin(), more.end());
  return_to(ids);
  generation::Result result = answer(ids, std::move(request), callbacks);
  if (!result.ids.empty()) engine_.step(now_.session, result.ids.back());  // sampled, but not read yet
  return result;
}

generation::Result Conversation::message_turn(const std::string& text, generation::Request request,
                                              const generation::Callbacks& callbacks) {
  Json messages = now_.messages;
  messages.push_back({{"role", "user"}, {"content", text}});
  const std::vector<TokenId> ids = render(messages);
  return_to(ids);
  request.sampling.seed += ids.size();
  generation::Result result = answer(ids, std::move(request), callbacks);
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
  return engine_.encode(options_.chat_template->render(request), /*with_bos=*/true);
}

/// To the state that has read most of `ids`: usually the one there is, else the one before an answer that is drawn
/// again, or of an earlier place.
void Conversation::return_to(std::span<const TokenId> ids) {
  const engine::Session* best = nullptr;
  const auto offer = [&](const engine::Session& session) {
    if (goes_on(session, ids) && (!best || session.ids().size() > best->ids().size())) best = &session;
  };
  offer(now_.session);
  if (before_answer_) offer(*before_answer_);
  for (const Moment& moment : past_) offer(moment.session);
  if (best == &now_.session) return;
  const std::size_t read = std::min(now_.session.ids().size(), ids.size());
  now_.session = best ? best->fork() : engine_.new_session();
  read_again_ = read - std::min(read, now_.session.ids().size());
}

/// Reads what the state lacks of `ids`, then answers.
generation::Result Conversation::answer(std::span<const TokenId> ids, generation::Request request,
                                        const generation::Callbacks& callbacks) {
  engine::Session& session = now_.session;
  generation::Result read;
  if (session.ids().size() < ids.size()) {
    generation::Request reading;
    reading.prompt.assign(ids.begin() + std::ssize(session.ids()), ids.end());
    reading.max_tokens = 0;
    read = engine_.generate(session, reading, callbacks);
    if (read.finish_reason == generation::FinishReason::cancelled) return read;
  }
  before_answer_ = session.fork();
  request.logits = session.logits();
  if (options_.draft) options_.draft->next_request();
  generation::Result result =
      engine_.generate(session, std::move(request), callbacks, {options_.draft, options_.draft_tokens});
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
  remember(std::nullopt);
  now_ = {engine_.new_session(), first_messages_, {}};
}

void Conversation::save(const std::filesystem::path& path) {
  engine_.save(now_.session, path);
  if (options_.chat_template) write_messages(messages_path(path), now_.messages);
}

void Conversation::load(const std::filesystem::path& path) {
  engine::Session loaded = engine_.restore(path);
  Json messages = options_.chat_template ? read_json_array(messages_path(path).string()) : Json();
  remember(std::nullopt);
  now_ = {std::move(loaded), std::move(messages), {}};
}

}  // namespace xlstm::cli
