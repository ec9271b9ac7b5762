#include "xlstm/generation/ngram_draft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xlstm::generation {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Ids = std::vector<TokenId>;

TEST(NgramDraft, ProposesWhatFollowedTheLongestSuffix) {
  NgramDraft draft;
  const Ids text = {9, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 70, 71, 0, 9, 1, 2, 3};  // "9 1 2 3" beats the newer "1 2 3"
  EXPECT_THAT(draft.propose(text, 8), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(draft.propose(text, 2), ElementsAre(4, 5));
}

TEST(NgramDraft, OfEquallyLongOnesTheNewest) {
  NgramDraft draft;
  EXPECT_THAT(draft.propose(Ids{8, 1, 2, 3, 4, 9, 1, 2, 3, 5, 0, 1, 2, 3}, 1), ElementsAre(5));
}

TEST(NgramDraft, AMatchMayReachIntoTheSuffixItself) {
  NgramDraft draft;
  EXPECT_THAT(draft.propose(Ids{1, 1, 1, 1}, 8), ElementsAre(1));
}

TEST(NgramDraft, ShortTextsAndUnknownEndsHaveNone) {
  NgramDraft draft;
  EXPECT_THAT(draft.propose(Ids{1}, 4), IsEmpty());
  EXPECT_THAT(draft.propose(Ids{1, 2, 3}, 4), IsEmpty());
  EXPECT_THAT(draft.propose(Ids{1, 2, 3, 2, 3}, 4), IsEmpty());  // two tokens are too few
}

TEST(NgramDraft, GrowsWithTheText) {
  NgramDraft draft;
  Ids text = {1, 2, 3, 4, 0};
  EXPECT_THAT(draft.propose(text, 4), IsEmpty());
  text.insert(text.end(), {1, 2, 3});
  EXPECT_THAT(draft.propose(text, 4), ElementsAre(4, 0, 1));
}

}  // namespace
}  // namespace xlstm::generation
