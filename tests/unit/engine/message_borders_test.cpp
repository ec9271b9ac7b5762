// Borders of messages, by templates that tell a conversation's beginning as it is, in another way, or not at all.
#include "xlstm/engine/message_borders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "xlstm/engine/service.h"

namespace xlstm::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kPlain =
    "{{ bos_token }}{% for m in messages %}{{ m.role | upper }}.\n{{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT.\n{% endif %}";

text::ChatRequest talk(const std::vector<std::pair<std::string, std::string>>& messages) {
  text::ChatRequest request;
  request.messages = nlohmann::ordered_json::array();
  for (const auto& [role, content] : messages) request.messages.push_back({{"role", role}, {"content", content}});
  request.add_generation_prompt = true;
  return request;
}

const text::ChatRequest& play() {
  static const text::ChatRequest kPlay =
      talk({{"system", "A play."}, {"user", "Good morrow."}, {"assistant", "And to you."}, {"user", "Whither?"}});
  return kPlay;
}

class MessageBorders : public testing::Test {
 protected:
  static void SetUpTestSuite() { engine_ = Engine::load({}).release(); }
  static void TearDownTestSuite() { delete engine_; }

  static text::ChatTemplate chat(std::string_view source) { return {source, {{"bos_token", "<|endoftext|>"}}}; }
  static std::vector<TokenId> encoded(std::string_view text) { return engine_->encode(text, /*with_bos=*/true); }
  static std::vector<std::size_t> borders(std::string_view source, const text::ChatRequest& request) {
    const text::ChatTemplate made = chat(source);
    return message_borders(*engine_, made, request, encoded(made.render(request)));
  }
  static inline Engine* engine_ = nullptr;
};

TEST_F(MessageBorders, StandWhereTheFirstMessagesEnd) {
  const std::string one = "SYSTEM.\nA play.\n\n", two = one + "USER.\nGood morrow.\n\n",
                    three = two + "ASSISTANT.\nAnd to you.\n\n", four = three + "USER.\nWhither?\n\n";
  EXPECT_THAT(borders(kPlain, play()),
              ElementsAre(encoded(one).size(), encoded(two).size(), encoded(three).size(), encoded(four).size()));
}

TEST_F(MessageBorders, TheEndOfThePromptIsNone) {
  text::ChatRequest request = talk({{"user", "Good morrow."}});
  request.add_generation_prompt = false;
  EXPECT_THAT(borders(kPlain, request), IsEmpty());
}

TEST_F(MessageBorders, ATemplateThatTrimsTheLastMessageHasThemWhereItsTextEnds) {
  // given one that ends a message only when another follows
  const char* trims =
      "{{ bos_token }}{% for m in messages %}{{ m.content | trim }}{{ '' if loop.last else '\n' }}{% endfor %}";
  EXPECT_THAT(borders(trims, talk({{"user", "To be \n"}, {"user", "Or not"}, {"user", "And"}})),
              ElementsAre(encoded("To be").size(), encoded("To be\nOr not").size()));
}

TEST_F(MessageBorders, NoneWhereAMessageIsToldInAnotherWayWhenMoreFollow) {
  const char* forgets = "{{ bos_token }}{% for m in messages %}{{ m.content if loop.last else 'x' }}\n{% endfor %}";
  EXPECT_THAT(borders(forgets, talk({{"user", "To be"}, {"user", "Or not"}})), IsEmpty());
  // only what goes on as it began counts: a first message that is always told in the same way
  const char* recent =
      "{{ bos_token }}{% for m in messages %}{{ m.content if loop.first or loop.last else 'x' }}\n{% endfor %}";
  EXPECT_THAT(borders(recent, talk({{"system", "A play"}, {"user", "To be"}, {"user", "Or not"}})),
              ElementsAre(encoded("A play\n").size()));
}

TEST_F(MessageBorders, NoneWhereTheTemplateRefusesABeginning) {
  const std::string refuses =
      "{% if messages[-1].role != 'user' %}{{ raise_exception('the last message is not of the user') }}{% endif %}";
  const std::string two = "SYSTEM.\nA play.\n\nUSER.\nGood morrow.\n\n";
  EXPECT_THAT(borders(refuses + kPlain, play()),
              ElementsAre(encoded(two).size(), encoded(two + "ASSISTANT.\nAnd to you.\n\nUSER.\nWhither?\n\n").size()));
}

TEST_F(MessageBorders, NoneWhereATokenReachesOverIt) {
  const char* joins = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}{{ '\n' }}";
  ASSERT_EQ(encoded(" the").size(), 2u) << "a BOS and one token";
  EXPECT_THAT(borders(joins, talk({{"user", " th"}, {"user", "e"}})), IsEmpty());
}

TEST_F(MessageBorders, OfALongTalkTheFirstAndTheLastOnes) {
  std::vector<std::pair<std::string, std::string>> messages;
  for (int i = 0; i < 50; ++i) messages.emplace_back("user", "Line " + std::to_string(i));
  const std::vector<std::size_t> found = borders(kPlain, talk(messages));
  ASSERT_EQ(found.size(), kMostMessageBorders);
  EXPECT_EQ(found.front(), encoded("USER.\nLine 0\n\n").size());
  const text::ChatTemplate made = chat(kPlain);
  text::ChatRequest all = talk(messages);
  all.add_generation_prompt = false;
  EXPECT_EQ(found.back(), encoded(made.render(all)).size());
}

TEST_F(MessageBorders, AnotherTalkBeginsWhereTheSharedMessagesEnd) {
  const text::ChatTemplate made = chat(kPlain);
  const auto service = Service::start([] { return Engine::load({}); }, {});
  const auto outcome = [&](const text::ChatRequest& request) {
    Submission submission;
    submission.request.prompt = encoded(made.render(request));
    submission.request.max_tokens = 2;
    submission.snapshots_at = message_borders(service->engine(), made, request, submission.request.prompt);
    return service->run(std::move(submission)).get();
  };
  EXPECT_EQ(outcome(play()).cached_tokens, 0u);
  EXPECT_EQ(outcome(talk({{"system", "A play."}, {"user", "Good night."}})).cached_tokens,
            encoded("SYSTEM.\nA play.\n\n").size());
  text::ChatRequest other = play();
  other.messages.back()["content"] = "Wherefore?";
  EXPECT_EQ(outcome(other).cached_tokens,
            encoded("SYSTEM.\nA play.\n\nUSER.\nGood morrow.\n\nASSISTANT.\nAnd to you.\n\n").size());
}

}  // namespace
}  // namespace xlstm::engine
