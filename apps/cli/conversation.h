// A chat as a recurrent state: every turn feeds only its new text.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "xlstm/engine/engine.h"

namespace xlstm::cli {

/// Invariant: between turns the state has read everything that was said, the last sampled token included, so that it
/// can be saved, forked or continued at any time.
class Conversation {
 public:
  /// `engine` must outlive it.
  explicit Conversation(engine::Engine& engine) : engine_(engine), session_(engine.new_session()) {}

  /// Reads `text` as the model's rules say (BOS at the very beginning only) and answers. `request` gives everything but
  /// the prompt; the seed moves on with the number of tokens read, so a conversation can be repeated as a whole. A turn
  /// that is cancelled before its first token, or that fails, leaves no trace.
  generation::Result turn(const std::string& text, generation::Request request, const generation::Callbacks& callbacks);

  /// Back to before the last turn, reset or load; false when there is none.
  bool undo();
  void reset();
  void save(const std::filesystem::path& path) { engine_.save(session_, path); }
  void load(const std::filesystem::path& path);
  std::size_t num_tokens() const noexcept { return session_.ids().size(); }

 private:
  void remember();

  engine::Engine& engine_;
  engine::Session session_;
  std::vector<engine::Session> past_;  // oldest first
};

}  // namespace xlstm::cli
