// Drafts from the text itself: what followed the last tokens when they stood there before ("prompt lookup").
#pragma once

#include <cstdint>
#include <unordered_map>

#include "xlstm/generation/draft.h"

namespace xlstm::generation {

/// Finds the longest suffix of the text that stands earlier in it, at least kShortest tokens long, the newest of
/// equally long ones, and proposes what followed it there: no more tokens than the suffix has, as short ones are often
/// chance. Of a suffix that occurs very often only the newest kMostPlaces are looked at. Memory: a dozen bytes a token
/// and an entry for every different run of kShortest.
class NgramDraft final : public Draft {
 public:
  static constexpr std::size_t kShortest = 3;
  static constexpr std::size_t kMostPlaces = 64;

  std::vector<TokenId> propose(std::span<const TokenId> text, std::size_t most) override;

 private:
  void read(std::span<const TokenId> text);

  // Places are the ends of runs of kShortest tokens. 0: none.
  std::unordered_map<std::uint64_t, std::size_t> newest_;  // by hash of the run
  std::vector<std::size_t> older_;                         // by place: the one before with the same hash
};

}  // namespace xlstm::generation
