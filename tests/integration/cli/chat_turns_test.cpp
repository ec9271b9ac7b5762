// Turns of xlstm chat that are taken back, drawn again or said in another way.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

std::string say(const std::string& script, Arguments more = {}) {
  more.insert(more.begin(), {"chat", "--max-tokens", "10", "--ignore-eos", "--seed", "3"});
  const Outcome outcome = run(more, script);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome.out;
}

class Turns : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::ofstream(scratch_ / "talk.jinja") << "{{ bos_token }}{% for m in messages %}{{ m.role | upper }}.\n"
                                              "{{ m.content }}\n\n{% endfor %}ASSISTANT.\n";
  }
  std::string talk(const std::string& script, Arguments more = {}) const {
    if (GetParam()) more.insert(more.end(), {"--chat-template", (scratch_ / "talk.jinja").string()});
    return say(script, more);
  }

  ScratchDirectory scratch_;
};

INSTANTIATE_TEST_SUITE_P(Template, Turns, testing::Bool(),
                         [](const auto& test) { return test.param ? "with" : "without"; });

TEST_P(Turns, RetryDrawsAnotherAnswerEachTime) {
  const std::string first = talk("To be\n"), twice = talk("To be\n/retry\n"), thrice = talk("To be\n/retry\n/retry\n");
  ASSERT_EQ(twice.substr(0, first.size()), first);
  const std::string second = twice.substr(first.size()), third = thrice.substr(twice.size());
  EXPECT_NE(second, first);
  EXPECT_NE(third, second);
  EXPECT_NE(third, first);
  const Arguments greedy{"--temperature", "0"};
  const std::string always = talk("To be\n", greedy);
  EXPECT_EQ(talk("To be\n/retry\n/retry\n", greedy), always + always + always);
}

TEST_P(Turns, ARetryReadsNothingAgainAndTheTalkGoesOnFromIt) {
  Arguments arguments{"--verbose", "chat", "-n", "4", "--ignore-eos"};
  if (GetParam()) arguments.insert(arguments.end(), {"--chat-template", (scratch_ / "talk.jinja").string()});
  const Outcome outcome = run(arguments, "To be\n/retry\n");
  EXPECT_NE(outcome.err.find("read 0 tokens"), std::string::npos) << outcome.err;
  // the turn behind a greedy retry is the one behind the answer
  const Arguments greedy{"--temperature", "0"};
  const std::string answer = talk("To be\n", greedy), both = talk("To be\nOr not\n", greedy);
  EXPECT_EQ(talk("To be\n/retry\nOr not\n", greedy), answer + both);
}

TEST_P(Turns, EditSaysTheLastTurnInAnotherWay) {
  const std::string be = talk("To be\n"), other = talk("Or not\n");
  EXPECT_EQ(talk("To be\n/edit Or not\n"), be + other);
  const std::string both = talk("To be\nAnd then\n"), edited = talk("To be\nWhat\n/edit And then\n");
  EXPECT_TRUE(edited.ends_with(both.substr(be.size())));
  EXPECT_EQ(talk("To be\n/edit Or\\\nnot\n"), be + talk("Or\\\nnot\n")) << "more lines than one";
}

TEST_P(Turns, UndoAfterARetryOrAnEditIsBeforeTheTurn) {
  const std::string be = talk("To be\n");
  for (const std::string command : {"/retry\n", "/edit Or not\n"}) {
    EXPECT_TRUE(talk("To be\n" + command + "/undo\nTo be\n").ends_with(be));
  }
}

TEST_P(Turns, WithoutATurnThereIsNothingToRepeat) {
  for (const std::string before : {"", "To be\n/undo\n", "To be\n/reset\n"}) {
    for (const std::string command : {"/retry\n", "/edit x\n"}) {
      const Outcome outcome = run({"chat", "-n", "2"}, before + command);
      EXPECT_EQ(outcome.exit_code, 2);
      EXPECT_NE(outcome.err.find("expected a turn before it"), std::string::npos) << outcome.err;
    }
  }
  expect_refused(run({"chat"}, "/edit\n"), 2, {"/edit", "a text"});
  expect_refused(run({"chat"}, "/edit \n"), 2, {"/edit", "a text"});
  expect_refused(run({"chat"}, "/retry now\n"), 2, {"/retry", "now"});
}

}  // namespace
}  // namespace xlstm::cli_test
