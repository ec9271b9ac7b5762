#include "xlstm/engine/message_borders.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>

#include "xlstm/base/error.h"

namespace xlstm::engine {
namespace {

/// Numbers of first messages that are looked at, of `count` messages.
std::vector<std::size_t> candidates(std::size_t count) {
  std::vector<std::size_t> numbers;
  for (std::size_t k = 1; k <= count; ++k) {
    if (k == 1 || k + kMostMessageBorders > count + 1) numbers.push_back(k);
  }
  return numbers;
}

/// Nothing when the template refuses them: roles have to alternate, or the user's message has to be the last.
std::optional<std::string> render(const text::ChatTemplate& chat, const text::ChatRequest& request) {
  try {
    return chat.render(request);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_argument) throw;
    return std::nullopt;
  }
}

}  // namespace

std::vector<std::size_t> message_borders(const Engine& engine, const text::ChatTemplate& chat,
                                         const text::ChatRequest& request, std::span<const TokenId> ids) {
  std::vector<std::size_t> lengths;
  text::ChatRequest beginning = request;
  beginning.add_generation_prompt = false;
  beginning.continue_final_message.clear();
  for (const std::size_t k : candidates(request.messages.size())) {
    beginning.messages.clear();
    std::copy_n(request.messages.begin(), k, std::back_inserter(beginning.messages));
    const std::optional<std::string> text = render(chat, beginning);
    if (!text) continue;
    const std::vector<TokenId> read = engine.encode(*text, /*with_bos=*/true);
    const bool begins = !read.empty() && read.size() < ids.size() && std::equal(read.begin(), read.end(), ids.begin());
    if (begins && (lengths.empty() || lengths.back() < read.size())) lengths.push_back(read.size());
  }
  return lengths;
}

}  // namespace xlstm::engine
