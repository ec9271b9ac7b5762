#include "xlstm/generation/ngram_draft.h"

#include <algorithm>
#include <utility>

namespace xlstm::generation {
namespace {

/// Of the kShortest tokens before `end`. Equal for other runs now and then: those make no match.
std::uint64_t hash_before(std::span<const TokenId> text, std::size_t end) {
  std::uint64_t hash = 0;
  for (const TokenId id : text.subspan(end - NgramDraft::kShortest, NgramDraft::kShortest)) {
    hash = (hash ^ static_cast<std::uint64_t>(static_cast<std::uint32_t>(id))) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

/// How many tokens before `end` and before the end of the text are the same.
std::size_t match_length(std::span<const TokenId> text, std::size_t end) {
  std::size_t length = 0;
  while (length < end && text[end - 1 - length] == text[text.size() - 1 - length]) ++length;
  return length;
}

}  // namespace

/// Everything but the last place, which would match itself.
void NgramDraft::read(std::span<const TokenId> text) {
  while (older_.size() < text.size()) {
    const std::size_t end = older_.size();
    std::size_t before = 0;
    if (end >= kShortest) before = std::exchange(newest_[hash_before(text, end)], end);
    older_.push_back(before);
  }
}

std::vector<TokenId> NgramDraft::propose(std::span<const TokenId> text, std::size_t most) {
  read(text);
  if (text.size() < kShortest) return {};
  const auto found = newest_.find(hash_before(text, text.size()));
  if (found == newest_.end()) return {};
  std::size_t best = 0, length = kShortest - 1, places = 0;
  for (std::size_t end = found->second; end != 0 && places < kMostPlaces; end = older_[end], ++places) {
    const std::size_t matched = match_length(text, end);
    if (matched > length) best = end, length = matched;
  }
  if (best == 0) return {};
  const std::span<const TokenId> next = text.subspan(best, std::min({most, length, text.size() - best}));
  return {next.begin(), next.end()};
}

}  // namespace xlstm::generation
