#include "apps/cli/conversation.h"

#include <algorithm>
#include <utility>

namespace xlstm::cli {
namespace {

// What /undo may keep. A state is small beside the weights, but not free: 128 MiB for a 7b model.
constexpr std::size_t kMostPastStates = 64;
constexpr std::size_t kMostPastBytes = std::size_t{1} << 30;

}  // namespace

void Conversation::remember() {
  const std::size_t state_bytes = std::max<std::size_t>(engine_.state_nbytes(), 1);
  const std::size_t most = std::clamp<std::size_t>(kMostPastBytes / state_bytes, 1, kMostPastStates);
  if (past_.size() >= most) past_.erase(past_.begin());
  past_.push_back(session_.fork());
}

generation::Result Conversation::turn(const std::string& text, generation::Request request,
                                      const generation::Callbacks& callbacks) {
  request.prompt = engine_.encode(text, /*with_bos=*/session_.ids().empty());
  request.history = session_.ids();
  request.sampling.seed += session_.ids().size();
  remember();
  try {
    generation::Result result = engine_.generate(session_, request, callbacks);
    if (result.finish_reason == generation::FinishReason::cancelled && result.ids.empty()) {
      undo();
    } else if (!result.ids.empty()) {
      engine_.step(session_, result.ids.back());  // sampled, but not read yet
    }
    return result;
  } catch (...) {
    undo();
    throw;
  }
}

bool Conversation::undo() {
  if (past_.empty()) return false;
  session_ = std::move(past_.back());
  past_.pop_back();
  return true;
}

void Conversation::reset() {
  remember();
  session_ = engine_.new_session();
}

void Conversation::load(const std::filesystem::path& path) {
  engine::Session loaded = engine_.restore(path);
  remember();
  session_ = std::move(loaded);
}

}  // namespace xlstm::cli
