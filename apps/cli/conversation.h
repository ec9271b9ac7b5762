// A chat as a recurrent state: every turn feeds only its new text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "xlstm/engine/draft.h"
#include "xlstm/engine/engine.h"

namespace xlstm::cli {

/// Invariant: between turns the state has read everything that was said, the last sampled token included, so that it
/// can be saved, forked or continued at any time. With a chat template the messages are kept as well; the template
/// writes the end of an answer itself, so a stop id is not read before the next turn.
class Conversation {
 public:
  struct Options {
    const text::ChatTemplate* chat_template = nullptr;
    std::string system;                     // the first message; empty: none
    engine::LastingDraft* draft = nullptr;  // guesses ahead, draft_tokens at a time
    std::size_t draft_tokens = generation::Speculation{}.tokens;
  };
  /// `engine`, template and draft must outlive it.
  Conversation(engine::Engine& engine, Options options);

  /// Without a template reads `text` and a newline as the model's rules say (BOS at the very beginning only) and
  /// answers. With one, `text` is a message of the user, and of all messages as the template tells them only what lies
  /// behind what was read before is read. `request` gives everything but the prompt; the seed moves on with the number
  /// of tokens read, so a conversation can be repeated as a whole. A turn that is cancelled before its first token, or
  /// that fails, leaves no trace.
  generation::Result turn(const std::string& text, generation::Request request, const generation::Callbacks& callbacks);
  /// The last turn once more, drawn with other random numbers each time, from the state before the answer: nothing is
  /// read again. Cancelled before its first token, or when it fails, the answer there was stays. Errors:
  /// invalid_argument when the last thing done was no turn; those of turn().
  generation::Result retry(generation::Request request, const generation::Callbacks& callbacks);
  /// The last turn with `text` in place of what was said then, from the state before it; else as retry().
  generation::Result edit(const std::string& text, generation::Request request, const generation::Callbacks& callbacks);
  /// Tokens that the last turn read once more, since the template tells an earlier turn in other tokens than those it
  /// was said in (it trims an answer, or a stop string or max_tokens ended one).
  std::size_t read_again() const noexcept { return read_again_; }

  /// Back to before the last turn, reset or load; false when there is none.
  bool undo();
  void reset();
  /// With a template its messages go into a second file, `path` with ".messages.json" behind it.
  void save(const std::filesystem::path& path);
  void load(const std::filesystem::path& path);
  std::size_t num_tokens() const noexcept { return now_.session.ids().size(); }
  /// Of all states that are kept, as if each were a copy of its own, and at most.
  std::size_t state_bytes() const noexcept;
  std::size_t max_state_bytes() const noexcept;

 private:
  using Json = nlohmann::ordered_json;
  struct Moment {
    engine::Session session;
    Json messages;
    std::optional<std::string> said;  // in the turn that came next; none: it was no turn
    Moment fork() const { return {session.fork(), messages, said}; }
  };

  std::size_t most_past() const noexcept;
  void remember(std::optional<std::string> said);
  const std::string& last_said(const char* command) const;
  void return_to(std::span<const TokenId> ids);
  std::vector<TokenId> render(const Json& messages) const;
  generation::Result take_turn(const std::string& text, const generation::Request& request,
                               const generation::Callbacks& callbacks);
  generation::Result replace(const std::string& text, const generation::Request& request,
                             const generation::Callbacks& callbacks);
  generation::Result plain_turn(const std::string& text, generation::Request request,
                                const generation::Callbacks& callbacks);
  generation::Result message_turn(const std::string& text, generation::Request request,
                                  const generation::Callbacks& callbacks);
  generation::Result answer(std::span<const TokenId> ids, generation::Request request,
                            const generation::Callbacks& callbacks);

  engine::Engine& engine_;
  Options options_;
  Json first_messages_ = Json::array();
  Moment now_;
  std::optional<engine::Session> before_answer_;  // of the last turn
  std::vector<Moment> past_;                      // oldest first
  std::size_t read_again_ = 0;
  std::uint64_t retries_ = 0;  // of the last turn
};

}  // namespace xlstm::cli
