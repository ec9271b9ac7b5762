// Drafts that last from request to request.
#include "xlstm/engine/draft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xlstm/base/error.h"

namespace xlstm::engine {
namespace {

using testing::ElementsAre;
using Ids = std::vector<TokenId>;

/// Tells how many texts it was given, and refuses one that does not go on from the one before.
class Recorder final : public generation::Draft {
 public:
  std::vector<TokenId> propose(std::span<const TokenId> text, std::size_t) override {
    EXPECT_GE(text.size(), before_.size());
    EXPECT_TRUE(std::equal(before_.begin(), before_.end(), text.begin())) << "a text that does not go on";
    before_.assign(text.begin(), text.end());
    return {++texts_};
  }

 private:
  TokenId texts_ = 0;
  Ids before_;
};

class Lasting : public testing::Test {
 protected:
  TokenId texts_after(const Ids& text) { return draft_.propose(text, 1).at(0); }

  int made_ = 0;
  LastingDraft draft_{[this] {
    ++made_;
    return std::make_unique<Recorder>();
  }};
};

TEST_F(Lasting, GoesOnWithATextThatGoesOn) {
  EXPECT_EQ(texts_after({1, 2}), 1);
  EXPECT_EQ(texts_after({1, 2, 3}), 2);
  draft_.next_request();
  EXPECT_EQ(texts_after({1, 2, 3, 4, 5}), 3);
  EXPECT_EQ(texts_after({1, 2, 3, 4, 5}), 4);
  EXPECT_EQ(made_, 1);
}

TEST_F(Lasting, BeginsAgainWithAnotherText) {
  EXPECT_EQ(texts_after({1, 2, 3}), 1);
  draft_.next_request();
  EXPECT_EQ(texts_after({1, 2}), 1) << "shorter";
  draft_.next_request();
  EXPECT_EQ(texts_after({1, 7, 3}), 1) << "another id";
  EXPECT_EQ(texts_after({1, 7, 3, 9}), 2);
  EXPECT_EQ(made_, 3);
}

TEST(DraftSource, AModelIsLoadedOnceAndEachDraftBeginsANewText) {
  const std::string bard = std::string(XLSTM_SOURCE_DIR) + "/models/bard-8m";
  LoadOptions options;
  options.num_threads = 1;
  const auto engine = Engine::load(options);
  const DraftSource source = draft_source(bard, *engine, options);
  const Ids text = engine->encode("In the beginning God", true);
  const Ids first = source()->propose(text, 3);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(source()->propose(text, 3), first);
  EXPECT_EQ(make_draft(bard, *engine, options)->propose(text, 3), first);
  // greedy, as the model itself would go on
  Session session = engine->new_session();
  generation::Request request;
  request.prompt = text;
  request.max_tokens = 3;
  request.sampling.temperature = 0;
  EXPECT_EQ(engine->generate(session, request).ids, first);
}

TEST(DraftSource, AnotherTokenizerOrNoModelIsRefused) {
  LoadOptions of_bytes;
  of_bytes.model = std::string(XLSTM_SOURCE_DIR) + "/tests/data/bytes-mixed-1.5m";
  const auto bytes = Engine::load(of_bytes);
  try {
    draft_source(std::string(XLSTM_SOURCE_DIR) + "/models/bard-8m", *bytes, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.what(), testing::HasSubstr("the tokenizer of"));
  }
  EXPECT_THROW(draft_source("no/such/model", *bytes, {}), Error);
}

}  // namespace
}  // namespace xlstm::engine
