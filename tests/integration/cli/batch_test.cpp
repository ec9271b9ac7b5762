// xlstm batch and top as processes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

using nlohmann::json;

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Text of each request by its number.
std::map<std::size_t, std::string> texts_of(const std::vector<json>& lines) {
  std::map<std::size_t, std::string> texts;
  for (const json& line : lines) {
    const auto [place, is_new] = texts.emplace(line.at("index"), line.at("choices").at(0).at("text"));
    EXPECT_TRUE(is_new) << "answered twice: " << line.dump();
  }
  return texts;
}

std::string requests(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += json{{"prompt", "Verse " + std::to_string(i)}, {"id", i}}.dump() + "\n";
  return text;
}

Arguments batch(const std::filesystem::path& input, const std::filesystem::path& output, const Arguments& more = {}) {
  Arguments arguments = {"batch", "--input", input.string(), "--output", output.string(), "--exact-reuse"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(Batch, AnswersEveryLineAsGenerateDoes) {
  const std::string input = R"({"prompt": "In the beginning God", "id": "a", "temperature": 0})"
                            "\n\n"
                            R"({"prompt": "HAMLET.", "seed": 7, "max_tokens": 9})"
                            "\n";
  const Outcome outcome = run({"batch", "-i", "-", "-o", "-", "-n", "12", "--ignore-eos"}, input);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto texts = texts_of(lines_of(outcome.out));
  const auto generate = [](const Arguments& more) {
    Arguments arguments = {"generate", "--ignore-eos", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return json_of(run(arguments))["text"].get<std::string>();
  };
  EXPECT_EQ(texts.at(0), generate({"--prompt", "In the beginning God", "-n", "12", "--temperature", "0"}));
  EXPECT_EQ(texts.at(2), generate({"--prompt", "HAMLET.", "-n", "9", "--seed", "7"}));
  EXPECT_NE(outcome.err.find("2 requests"), std::string::npos) << outcome.err;
}

TEST(Batch, LinesCarryWhatAProgramNeeds) {
  const Outcome outcome = run({"batch", "-i", "-", "-o", "-"},
                              R"({"prompt": "Once", "n": 3, "max_tokens": 4, "logprobs": 2, "id": {"x": 1}})");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json line = lines_of(outcome.out).at(0);
  EXPECT_EQ(line["id"], (json{{"x", 1}}));
  ASSERT_EQ(line["choices"].size(), 3u);
  std::set<json> ids;
  for (const json& choice : line["choices"]) {
    EXPECT_EQ(choice["finish_reason"], "length");
    ASSERT_EQ(choice["ids"].size(), 4u);
    ASSERT_EQ(choice["logprobs"].size(), 4u);
    EXPECT_EQ(choice["logprobs"][0]["top"].size(), 2u);
    EXPECT_LE(choice["logprobs"][0]["logprob"], choice["logprobs"][0]["top"][0]["logprob"]);
    ids.insert(choice["ids"]);
  }
  EXPECT_GT(ids.size(), 1u);
  EXPECT_EQ(line["usage"]["completion_tokens"], 12);
  EXPECT_EQ(line["usage"]["cached_tokens"], 0);
}

TEST(Batch, AWrongLineIsAnsweredAndTheOthersGoOn) {
  const std::string input =
      "not json\n[]\n{}\n"
      R"({"prompt": "a", "prompt_ids": [1]})"
      "\n"
      R"({"prompt": "a", "temprature": 1})"
      "\n"
      R"({"prompt": "a", "top_k": 1.5})"
      "\n"
      R"({"prompt": "a", "temperature": -1})"
      "\n"
      R"({"prompt_ids": [99999999]})"
      "\n"
      R"({"prompt": "a", "n": 0})"
      "\n"
      R"({"prompt": "good", "max_tokens": 2})"
      "\n";
  const Outcome outcome = run({"batch", "-i", "-", "-o", "-"}, input);
  EXPECT_EQ(outcome.exit_code, 2);
  int wrong = 0, good = 0;
  for (const json& line : lines_of(outcome.out)) {
    wrong += line.contains("error");
    good += line.contains("choices");
    if (line["index"] == 4) {
      EXPECT_NE(line["error"].get<std::string>().find("\"temprature\""), std::string::npos);
    }
  }
  EXPECT_EQ(wrong, 9);
  EXPECT_EQ(good, 1);
}

TEST(Batch, AKilledRunIsTakenUpAgainWithoutLossOrRepetition) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "in.jsonl") << requests(60);
  const Outcome whole = run(batch(scratch / "in.jsonl", scratch / "whole.jsonl", {"-n", "20", "--ignore-eos"}));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  const auto expected = texts_of(lines_of(read(scratch / "whole.jsonl")));
  ASSERT_EQ(expected.size(), 60u);

  const Arguments command = batch(scratch / "in.jsonl", scratch / "out.jsonl",
                                  {"-n", "20", "--ignore-eos", "--max-rows", "2", "--threads", "1"});
  std::size_t before = 0;
  for (int kill = 0; kill < 5; ++kill) {
    Process process(command);
    for (int i = 0;
         i < 2000 && std::count_if(std::istreambuf_iterator<char>(std::ifstream(scratch / "out.jsonl").rdbuf()), {},
                                   [](char c) { return c == '\n'; }) < std::ptrdiff_t(before + 3);
         ++i) {
      ::usleep(2000);
    }
    process.send_signal(SIGKILL);
    process.finish();
    const std::string text = read(scratch / "out.jsonl");
    before = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  EXPECT_GT(before, 10u);
  std::ofstream(scratch / "out.jsonl", std::ios::app) << R"({"index": 59, "inp)";  // what a kill may leave
  const Outcome last = run(command);
  ASSERT_EQ(last.exit_code, 0) << last.err;
  EXPECT_NE(last.err.find("done before"), std::string::npos);
  EXPECT_EQ(texts_of(lines_of(read(scratch / "out.jsonl"))), expected);
}

TEST(Batch, TheOutputOfOtherInputIsRefused) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "in.jsonl") << requests(2);
  ASSERT_EQ(run(batch(scratch / "in.jsonl", scratch / "out.jsonl", {"-n", "1"})).exit_code, 0);
  std::ofstream(scratch / "in.jsonl") << "{\"prompt\": \"other\"}\n";
  expect_refused(run(batch(scratch / "in.jsonl", scratch / "out.jsonl")), 2, {"out.jsonl", "index 0", "another text"});
  std::ofstream(scratch / "out.jsonl") << "something else\n";
  expect_refused(run(batch(scratch / "in.jsonl", scratch / "out.jsonl")), 3, {"out.jsonl", "line 1"});
  EXPECT_EQ(read(scratch / "out.jsonl"), "something else\n");
  expect_refused(run(batch(scratch / "none.jsonl", scratch / "o.jsonl")), 3, {"none.jsonl"});
}

TEST(Batch, CtrlCLeavesWholeLinesAndTheSameCommandGoesOn) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "in.jsonl") << requests(40);
  Process process(batch(scratch / "in.jsonl", scratch / "out.jsonl",
                        {"-n", "-1", "--ignore-eos", "--max-rows", "2", "--stats-socket", (scratch / "s").string()}));
  const Outcome watched = [&] {
    for (int i = 0; i < 1000; ++i) {
      if (std::filesystem::exists(scratch / "s")) break;
      ::usleep(10000);
    }
    return run({"top", (scratch / "s").string(), "--once"});
  }();
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_NE(watched.out.find("running"), std::string::npos);
  process.send_signal(SIGINT);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 130);
  EXPECT_NE(outcome.err.find("goes on"), std::string::npos) << outcome.err;
  lines_of(read(scratch / "out.jsonl"));
  EXPECT_EQ(run(batch(scratch / "in.jsonl", scratch / "out.jsonl", {"-n", "2"})).exit_code, 0);
  EXPECT_EQ(texts_of(lines_of(read(scratch / "out.jsonl"))).size(), 40u);
}

TEST(Top, WithNobodyThereIsRefused) { expect_refused(run({"top", "/nonexistent/socket"}), 3, {"/nonexistent/socket"}); }

}  // namespace
}  // namespace xlstm::cli_test
