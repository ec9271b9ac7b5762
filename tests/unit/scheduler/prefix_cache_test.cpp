#include "xlstm/scheduler/prefix_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "tests/unit/generation/fake_backend.h"

namespace xlstm::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Ids = std::vector<TokenId>;

/// States that know their own ids, so that a wrong one is seen.
class PrefixCacheTest : public testing::Test {
 protected:
  Snapshot snapshot(const Ids& ids, Path path = Path::other, bool logits = true) {
    SharedState state = pool_.make();
    dynamic_cast<generation::FakeState&>(pool_.writable(state)).tokens = ids;
    return {state, logits ? std::vector<float>{1.0f, 2.0f} : std::vector<float>(), path};
  }
  void insert(const Ids& ids, Path path = Path::other, bool logits = true) {
    cache_.insert(ids, snapshot(ids, path, logits));
  }
  static const Ids& read(const PrefixCache::Hit& hit) {
    return dynamic_cast<const generation::FakeState&>(hit.snapshot.state.read()).tokens;
  }
  std::size_t found(const Ids& ids, bool exact = false) {
    const PrefixCache::Hit hit = cache_.find(ids, exact);
    if (hit.tokens > 0) {
      EXPECT_EQ(read(hit), Ids(ids.begin(), ids.begin() + std::ptrdiff_t(hit.tokens)));
    }
    return hit.tokens;
  }

  generation::FakeBackend backend_{4, 4, {0}};
  StatePool pool_{backend_, 1000};
  PrefixCache cache_{1 << 20, 100};
};

TEST_F(PrefixCacheTest, FindsTheLongestBeginning) {
  insert({1, 2});
  insert({1, 2, 3, 4});
  insert({1, 2, 9});
  EXPECT_EQ(found({1, 2, 3, 4, 5}), 4u);
  EXPECT_EQ(found({1, 2, 3, 5}), 2u);
  EXPECT_EQ(found({1, 2, 9, 9}), 3u);
  EXPECT_EQ(found({1}), 0u);
  EXPECT_EQ(found({2, 1}), 0u);
  EXPECT_EQ(found({}), 0u);
}

TEST_F(PrefixCacheTest, AllOfAPromptNeedsItsLogits) {
  insert({1, 2}, Path::aligned, /*logits=*/false);
  insert({1}, Path::aligned, /*logits=*/false);
  EXPECT_EQ(found({1, 2}), 1u);
  EXPECT_EQ(found({1, 2, 3}), 2u);
  insert({1, 2}, Path::aligned, /*logits=*/true);
  EXPECT_EQ(found({1, 2}), 2u);
}

TEST_F(PrefixCacheTest, ExactReuseTakesAlignedOnesAndTheVeryPrompt) {
  insert({1}, Path::aligned);
  insert({1, 2}, Path::prompt_end);
  insert({1, 2, 3}, Path::other);
  EXPECT_EQ(found({1, 2, 3, 4}, /*exact=*/true), 1u);
  EXPECT_EQ(found({1, 2}, /*exact=*/true), 2u);
  EXPECT_EQ(found({1, 2, 3}, /*exact=*/true), 1u);
  EXPECT_EQ(found({1, 2, 3, 4}, /*exact=*/false), 3u);
}

TEST_F(PrefixCacheTest, KeepsTheBetterPathOfTwo) {
  insert({1, 2}, Path::other);
  insert({1, 2}, Path::aligned);
  insert({1, 2}, Path::other);
  EXPECT_EQ(found({1, 2, 3}, /*exact=*/true), 2u);
  EXPECT_EQ(cache_.size(), 1u);
}

TEST_F(PrefixCacheTest, ForgetsTheLeastRecentlyUsedFirst) {
  insert({1});
  insert({2});
  insert({3});
  found({1, 0});
  ASSERT_TRUE(cache_.evict_one());
  EXPECT_EQ(found({2, 0}), 0u);
  EXPECT_EQ(found({1, 0}), 1u);
  EXPECT_EQ(found({3, 0}), 1u);
}

TEST_F(PrefixCacheTest, StaysWithinItsBytes) {
  PrefixCache small(3 * 108 + 10, 100);
  for (TokenId id = 0; id < 20; ++id) {
    small.insert(Ids{id}, snapshot({id}));
    EXPECT_LE(small.bytes(), small.max_bytes());
  }
  EXPECT_EQ(small.size(), 2u);  // of 100 + 8 + 4 bytes
  EXPECT_EQ(small.evictions(), 18u);
}

TEST_F(PrefixCacheTest, OneThatIsTooLargeForItIsNotKept) {
  PrefixCache small(50, 100);
  small.insert(Ids{1}, snapshot({1}));
  EXPECT_EQ(small.size(), 0u);
  EXPECT_EQ(small.bytes(), 0u);
}

TEST_F(PrefixCacheTest, ForgettingAllGivesBackAllBytes) {
  insert({1, 2, 3});
  insert({1, 2, 4, 5});
  insert({1});
  cache_.erase(Ids{1, 2});  // no snapshot there
  cache_.erase(Ids{1, 2, 3});
  EXPECT_EQ(found({1, 2, 4, 5, 6}), 4u);
  while (cache_.evict_one()) continue;
  EXPECT_EQ(cache_.bytes(), 0u);
  EXPECT_EQ(cache_.size(), 0u);
  EXPECT_EQ(pool_.used_bytes(), 0u);
}

/// Random operations beside a map from ids to what was kept.
RC_GTEST_FIXTURE_PROP(PrefixCacheTest, AgreesWithAMap, ()) {
  const auto some_ids = rc::gen::container<Ids>(rc::gen::inRange<TokenId>(0, 3));
  std::map<Ids, bool> model;  // whether logits were kept
  const int operations = *rc::gen::inRange(0, 60);
  for (int i = 0; i < operations; ++i) {
    const Ids ids = *some_ids;
    switch (*rc::gen::inRange(0, 3)) {
      case 0: {
        if (ids.empty()) break;
        const bool logits = *rc::gen::arbitrary<bool>();
        insert(ids, Path::aligned, logits);
        model[ids] = model[ids] || logits;
        break;
      }
      case 1:
        cache_.erase(ids);
        model.erase(ids);
        break;
      default: {
        std::size_t expected = 0;
        for (const auto& [known, logits] : model) {
          const bool begins = known.size() <= ids.size() && std::equal(known.begin(), known.end(), ids.begin());
          if (begins && (known.size() < ids.size() || logits)) expected = std::max(expected, known.size());
        }
        RC_ASSERT(found(ids) == expected);
      }
    }
    RC_ASSERT(cache_.size() == model.size());
  }
  while (cache_.evict_one()) continue;
  RC_ASSERT(cache_.bytes() == 0u);
  RC_ASSERT(pool_.used_bytes() == 0u);
}

TEST(LadderGaps, LeavesOneRungForEachDoubling) {
  EXPECT_THAT(ladder_gaps({}, 10, 1), IsEmpty());
  const std::vector<std::size_t> all = {1, 2, 3, 4, 5, 6, 7};  // distances 7 to 1
  EXPECT_THAT(ladder_gaps(all, 8, 1), ElementsAre(2, 3, 4, 6));
}

TEST(LadderGaps, AGrowingPromptKeepsAboutTheLogarithmOfItsPieces) {
  std::vector<std::size_t> kept;
  for (std::size_t position = 512; position <= 512 * 1000; position += 512) {
    for (const std::size_t gap : ladder_gaps(kept, position, 512)) std::erase(kept, gap);
    kept.push_back(position);
    ASSERT_LE(kept.size(), 12u);
    // Wherever an edit begins, the nearest snapshot is at most about as far behind it as it is from the end.
    for (std::size_t edit = 512; edit < position; edit += 512) {
      const auto after = std::upper_bound(kept.begin(), kept.end(), edit);
      const std::size_t at = after == kept.begin() ? 0 : *(after - 1);
      ASSERT_LE(edit - at, 3 * (position - edit) + 512) << edit << " of " << position;
    }
  }
}

}  // namespace
}  // namespace xlstm::scheduler
