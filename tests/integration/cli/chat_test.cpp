// xlstm chat as a process: scripted through a pipe, and typed at a pseudo-terminal.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

Arguments chat(const Arguments& more = {}) {
  Arguments arguments{"chat", "--max-tokens", "12", "--ignore-eos", "--temperature", "0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string say(const std::string& script, const Arguments& more = {}) {
  const Outcome outcome = run(chat(more), script);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome.out;
}

TEST(Chat, AnswersGoToStandardOutputAndNotesToStandardError) {
  const Outcome outcome = run(chat(), "HAMLET.\n/undo\n/quit\nnever read\n");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.out, "");
  EXPECT_TRUE(outcome.out.ends_with("\n"));
  EXPECT_NE(outcome.err.find("undone"), std::string::npos);
  EXPECT_EQ(outcome.out.find("undone"), std::string::npos);
  EXPECT_EQ(outcome.out.find('>'), std::string::npos) << "a prompt in a pipe";
}

TEST(Chat, TheFirstTurnIsWhatGenerateDoesWithTheTypedTextAndANewline) {
  const Outcome generated =
      run({"generate", "--prompt", "To be\n", "--max-tokens", "12", "--ignore-eos", "--temperature", "0"});
  EXPECT_EQ(say("To be\n"), generated.out);
}

TEST(Chat, ALaterTurnContinuesTheWholeConversation) {
  // given the first answer, the second turn reads: prompt, answer, new text
  const std::string first = say("To be\n");
  const Outcome generated =
      run({"generate", "--prompt", "To be\n", "--max-tokens", "12", "--ignore-eos", "--temperature", "0", "--json"});
  const std::string answer = json_of(generated)["text"];
  const std::string both = say("To be\nOr not\n");
  ASSERT_TRUE(both.starts_with(first));
  const Outcome second = run({"generate", "--prompt", "To be\n" + answer + "Or not\n", "--max-tokens", "12",
                              "--ignore-eos", "--temperature", "0"});
  EXPECT_EQ(both.substr(first.size()), second.out);
}

TEST(Chat, UndoGoesBackToBeforeTheLastTurn) {
  const std::string once = say("To be\nOr not\n");
  const std::string again = say("To be\nsomething else\n/undo\nOr not\n");
  EXPECT_EQ(again.substr(again.size() - 20), once.substr(once.size() - 20));
}

TEST(Chat, ResetForgetsAndCanBeUndone) {
  const std::string first = say("To be\n");
  EXPECT_EQ(say("To be\n/reset\nTo be\n"), first + first);
  const std::string both = say("To be\nOr not\n");
  EXPECT_EQ(say("To be\n/reset\n/undo\nOr not\n"), both);
}

TEST(Chat, ASavedConversationGoesOnInAnotherProcess) {
  const ScratchDirectory scratch;
  const std::string file = (scratch / "talk.safetensors").string();
  const std::string sampled = "0.9";
  const Arguments flags{"--temperature", sampled, "--seed", "5"};
  const Arguments arguments{"chat", "--max-tokens", "12", "--ignore-eos", "--temperature", sampled, "--seed", "5"};
  const std::string first = run(arguments, "To be\n").out;
  const Outcome whole = run(arguments, "To be\n/save " + file + "\nOr not\n");
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  const Outcome loaded = run(arguments, "/load " + file + "\nOr not\n");
  EXPECT_EQ(loaded.exit_code, 0) << loaded.err;
  EXPECT_EQ(first + loaded.out, whole.out);
}

TEST(Chat, AStateOfAnotherModelIsRefused) {
  const ScratchDirectory scratch;
  const std::string file = (scratch / "talk.safetensors").string();
  say("To be\n/save " + file + "\n");
  expect_refused(run(chat({"--model", bytes_mixed()}), "/load " + file + "\n"), 2, {"talk.safetensors"});
}

TEST(Chat, WrongCommandsEndAScriptInOneLine) {
  expect_refused(run(chat(), "/undo\n"), 2, {"/undo", "earlier turn"});
  expect_refused(run(chat(), "/frobnicate\n"), 2, {"/frobnicate", "/help"});
  expect_refused(run(chat(), "/save\n"), 2, {"/save", "file name"});
  expect_refused(run(chat(), "/reset now\n"), 2, {"/reset", "now"});
  expect_refused(run(chat(), "/load no/such/file\n"), 3, {"no/such/file"});
  expect_refused(run(chat(), "/save no/such/directory/file\n"), 3, {"no/such/directory/file"});
  expect_refused(run(chat(), "/save .\n"), 2, {"a directory"});
}

TEST(Chat, SaveDoesNotReplaceADevice) {
  const ScratchDirectory scratch;
  const std::filesystem::path pipe = scratch / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  expect_refused(run(chat(), "/save " + pipe.string() + "\n"), 2, {pipe.string(), "a device or a pipe"});
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST(Chat, ADamagedStateFileIsRefused) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "talk.safetensors") << "not a state";
  expect_refused(run(chat(), "/load " + (scratch / "talk.safetensors").string() + "\n"), 3, {"talk.safetensors"});
}

TEST(Chat, ABackslashContinuesALineAndTwoSlashesAreText) {
  EXPECT_EQ(
      say("To be\\\nor not\n"),
      run({"generate", "--prompt", "To be\nor not\n", "--max-tokens", "12", "--ignore-eos", "--temperature", "0"}).out);
  EXPECT_EQ(say("//quit\n"),
            run({"generate", "--prompt", "/quit\n", "--max-tokens", "12", "--ignore-eos", "--temperature", "0"}).out);
}

TEST(Chat, EmptyLinesAreNoTurns) { EXPECT_EQ(say("\n  \nTo be\n\n"), say("To be\n")); }

TEST(Chat, CtrlCWhileItWaitsForAScriptEndsItWith130) {
  const ScratchDirectory scratch;
  const std::filesystem::path saved = scratch / "talk.safetensors";
  Process process(chat());
  process.write("To be\n/save " + saved.string() + "\n");
  // Its answer may hold a line break of its own; the file is there only when the answer is over.
  for (int i = 0; i < 3000 && !std::filesystem::exists(saved); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(std::filesystem::exists(saved));
  process.send_signal(SIGINT);
  EXPECT_EQ(process.finish().exit_code, 130);
}

TEST(Chat, VerboseTellsThatATurnReadsOnlyNewText) {
  const Outcome outcome = run(chat({"--verbose"}), "To be, or not to be, that is the question\nx\n");
  EXPECT_NE(outcome.err.find("read 2 tokens"), std::string::npos) << outcome.err;
}

/// A chat at a pseudo-terminal. What is written to it counts from the moment that the first prompt has come.
Process at_a_terminal(const Arguments& arguments) { return Process(arguments, {{"TERM", "xterm"}}, /*terminal=*/true); }

/// A chat whose answer goes on until it is stopped.
Arguments chat_without_end() { return {"chat", "--max-tokens", "-1", "--ignore-eos"}; }

/// It left as it was told to, and the terminal as it was.
void expect_left(Process& process) {
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  EXPECT_TRUE(outcome.echoes) << outcome.out;
}

TEST(ChatAtATerminal, LinesAreEditedAndAnswersAppear) {
  Process process = at_a_terminal(chat());
  ASSERT_TRUE(process.wait_for_output("> "));
  process.write("XX\x7f\x7f//quit\x01\x1b[3~");  // backspace twice; to the start of the line, delete one: "/quit"
  process.write("\n");
  expect_left(process);
}

TEST(ChatAtATerminal, WhatIsTypedDuringAnAnswerWaitsForThePromptAndIsShownOnce) {
  Process process = at_a_terminal(chat());
  ASSERT_TRUE(process.wait_for_output("> "));
  process.write("To be\n/frobnicate\n/quit\n");
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  std::size_t count = 0;  // as it was typed and in the complaint about it
  for (std::size_t at = 0; (at = outcome.out.find("/frobnicate", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 2U) << outcome.out;
}

TEST(ChatAtATerminal, AKeyPressedDuringAnAnswerIsAKey) {
  Process process = at_a_terminal(chat_without_end());
  ASSERT_TRUE(process.wait_for_output("> "));
  process.write("To be\n");
  ASSERT_TRUE(process.wait_for_output("\n"));
  ASSERT_TRUE(process.wait_for_output("\n")) << "no answer";
  process.write("\x04");  // Ctrl-D: the end, once there is a prompt again
  process.send_signal(SIGINT);
  expect_left(process);
}

TEST(ChatAtATerminal, CtrlCStopsTheAnswerAndNotTheProgram) {
  Process process = at_a_terminal(chat_without_end());
  ASSERT_TRUE(process.wait_for_output("> "));
  process.write("To be\n");
  ASSERT_TRUE(process.wait_for_output("\n"));  // the end of the typed line
  ASSERT_TRUE(process.wait_for_output("\n")) << "no answer";
  process.write("\x03");
  ASSERT_TRUE(process.wait_for_output("(stopped)"));
  process.write("/quit\n");
  expect_left(process);
}

TEST(ChatAtATerminal, CtrlCTwiceAtThePromptLeaves) {
  Process process = at_a_terminal(chat());
  ASSERT_TRUE(process.wait_for_output("> "));
  process.write("half a line\x03");
  ASSERT_TRUE(process.wait_for_output("again"));
  process.write("\x03");
  expect_left(process);
}

TEST(ChatAtATerminal, ASecondCtrlCAfterATurnDoesNotLeave) {
  Process process = at_a_terminal(chat());
  ASSERT_TRUE(process.wait_for_output("> "));
  for (int i = 0; i < 3; ++i) {
    process.write("\x03");
    ASSERT_TRUE(process.wait_for_output("again"));
    ASSERT_TRUE(process.wait_for_output("> "));
    process.write("/help\n");
    ASSERT_TRUE(process.wait_for_output("Ctrl-C stops an answer."));
    ASSERT_TRUE(process.wait_for_output("> "));
  }
  process.write("/quit\n");
  expect_left(process);
}

// Between Enter and the next prompt a Ctrl-C stops the answer or is told at the prompt: two of them never leave.
TEST(ChatAtATerminal, CtrlCAtAnyMomentOfATurnKeepsTheConversation) {
  Process process = at_a_terminal(chat({"--stop", "("}));  // so that this is the beginning of a note
  ASSERT_TRUE(process.wait_for_output("> "));
  for (int delay = 0; delay < 25; ++delay) {
    process.write("To be\n");
    ASSERT_TRUE(process.wait_for_output("\n"));
    std::this_thread::sleep_for(std::chrono::milliseconds(delay));  // not to wait for something: to hit anything
    process.write("\x03");
    ASSERT_TRUE(process.wait_for_output("(")) << "after " << delay << " ms";  // stopped, or: again leaves
    ASSERT_TRUE(process.wait_for_output("> "));
  }
  process.write("/quit\n");
  expect_left(process);
}

TEST(ChatAtATerminal, AnInterruptFromOutsideIsACtrlC) {
  Process process = at_a_terminal(chat());
  ASSERT_TRUE(process.wait_for_output("> "));
  process.send_signal(SIGINT);
  ASSERT_TRUE(process.wait_for_output("again"));
  process.send_signal(SIGINT);
  expect_left(process);
}

TEST(ChatAtATerminal, ASignalThatEndsItLeavesTheTerminalAsItWas) {
  for (const int signal : {SIGTERM, SIGHUP}) {
    Process process = at_a_terminal(chat());
    ASSERT_TRUE(process.wait_for_output("> "));
    process.send_signal(signal);
    const Outcome outcome = process.finish();
    EXPECT_EQ(outcome.exit_code, -signal) << outcome.out;
    EXPECT_TRUE(outcome.echoes) << outcome.out;
  }
}

TEST(ChatAtATerminal, CtrlDLeaves) {
  Process process = at_a_terminal(chat());
  ASSERT_TRUE(process.wait_for_output("> "));
  process.write("\x04");
  expect_left(process);
}

TEST(ChatAtATerminal, MistakesAreForgiven) {
  Process process = at_a_terminal(chat());
  ASSERT_TRUE(process.wait_for_output("> "));
  process.write("/load no/such/file\n");
  ASSERT_TRUE(process.wait_for_output("xlstm: error: "));
  process.write("/quit\n");
  expect_left(process);
}

}  // namespace
}  // namespace xlstm::cli_test
