// --stats-socket of generate and chat, and xlstm top beside them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

using nlohmann::json;

void wait_for(const std::filesystem::path& socket) {
  for (int i = 0; i < 2000 && !std::filesystem::exists(socket); ++i) ::usleep(5000);
  ASSERT_TRUE(std::filesystem::exists(socket));
}

json seen(const std::filesystem::path& socket) {
  const Outcome outcome = run({"top", socket.string(), "--once", "--json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
}

class Watch : public testing::Test {
 protected:
  ScratchDirectory scratch_;
  std::filesystem::path socket_ = scratch_ / "s";
};

TEST_F(Watch, GenerateTellsOfItsRequest) {
  for (const Arguments& more : {Arguments{}, Arguments{"--draft", "ngram"}, Arguments{"--samples", "2"}}) {
    SCOPED_TRACE(more.empty() ? "plain" : more[0]);
    Arguments arguments{"generate", "--prompt", "Once", "--ignore-eos", "-n", "-1", "--stats-socket", socket_.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Process process(arguments);
    wait_for(socket_);
    json stats = seen(socket_);
    for (int i = 0; i < 200 && stats["generated_tokens"] < 5; ++i) stats = seen(socket_);
    EXPECT_EQ(stats["submitted"], 1);
    EXPECT_EQ(stats["running"], 1);
    EXPECT_EQ(stats["prefill_tokens"], 3);
    EXPECT_GE(stats["generated_tokens"], 5);
    EXPECT_GT(stats["state_bytes"], 0);
    const Outcome screen = run({"top", socket_.string(), "--once"});
    std::istringstream lines(screen.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
    for (const char* part : {"1 running", "drained", "decode", "prefix cache", "between tokens"}) {
      EXPECT_NE(screen.out.find(part), std::string::npos) << part << " in " << screen.out;
    }
    process.send_signal(SIGINT);
    EXPECT_EQ(process.finish().exit_code, 130);
    EXPECT_FALSE(std::filesystem::exists(socket_)) << "the socket goes with the program";
  }
}

TEST_F(Watch, ChatTellsOfAllItsTurns) {
  Process process({"chat", "-n", "4", "--ignore-eos", "--stats-socket", socket_.string()});
  process.write("To be\n/retry\nOr not\n/save " + (scratch_ / "talk").string() + "\n");
  wait_for(scratch_ / "talk");
  const json stats = seen(socket_);
  EXPECT_EQ(stats["completed"], 3);
  EXPECT_EQ(stats["running"], 0);
  EXPECT_EQ(stats["generated_tokens"], 12);
  EXPECT_LE(stats["state_bytes"], stats["max_state_bytes"]);
  EXPECT_GT(stats["state_bytes"], 0);
  process.close_input();
  EXPECT_EQ(process.finish().exit_code, 0);
}

TEST_F(Watch, APathThatIsNoneIsRefused) {
  for (const Arguments& verb :
       {Arguments{"generate", "--prompt", "x", "-n", "1"},
        Arguments{"generate", "--prompt", "x", "-n", "1", "--samples", "2"}, Arguments{"chat"}}) {
    Arguments arguments = verb;
    arguments.insert(arguments.end(), {"--stats-socket", "."});
    expect_refused(run(arguments), 2, {"a socket"});
    arguments.back() = "no/such/directory/s";
    expect_refused(run(arguments), 3, {"no/such/directory/s"});
    arguments.back() = "";
    expect_refused(run(arguments), 2, {"--stats-socket", "a path"});
  }
  expect_refused(run({"top"}), 2, {"socket: expected a value"});
  expect_refused(run({"top", ""}), 2, {"a path"});
}

}  // namespace
}  // namespace xlstm::cli_test
