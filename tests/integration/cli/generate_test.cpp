// xlstm generate as a process.

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

using nlohmann::json;

Arguments generate(const Arguments& more) {
  Arguments arguments{"generate", "--max-tokens", "24", "--ignore-eos"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string text_of(const Arguments& more, const std::string& input = "") {
  const Outcome outcome = run(generate(more), input);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out, "");
  return outcome.out;
}

TEST(Generate, TextGoesToStandardOutputAndTheSummaryToStandardError) {
  const Outcome outcome = run(generate({"--prompt", "In the beginning God"}));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_TRUE(outcome.out.ends_with("\n"));
  EXPECT_EQ(outcome.out.find("tok/s"), std::string::npos);
  for (const char* part : {"prompt ", "generated 24 tokens", "tok/s", "first token after", "peak memory"}) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " in " << outcome.err;
  }
  EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos) << "a progress bar, but this is no terminal";
}

TEST(Generate, TheSameSeedGivesTheSameText) {
  const Arguments arguments{"--prompt", "HAMLET.", "--seed", "7", "--temperature", "1.2"};
  const std::string text = text_of(arguments);
  EXPECT_EQ(text_of(arguments), text);
  EXPECT_NE(text_of({"--prompt", "HAMLET.", "--seed", "8", "--temperature", "1.2"}), text);
}

TEST(Generate, TheEmbeddedModelIsTheOneInTheRepository) {
  EXPECT_EQ(text_of({"--prompt", "HAMLET."}), text_of({"--prompt", "HAMLET.", "--model", bard()}));
}

TEST(Generate, GreedyIdsAreThoseOfTheReference) {
  // The first prompt of the reference files, decoded greedily: see tests/parity for all of them.
  const Outcome outcome = run({"generate", "--prompt-ids", "0", "--temperature", "0", "--max-tokens", "4", "--json"});
  const json result = json_of(outcome);
  EXPECT_EQ(result["prompt_tokens"], 1);
  EXPECT_EQ(result["ids"].size(), 4u);
  const Outcome again = run({"generate", "--prompt-ids", "0", "--temperature", "0", "--max-tokens", "4", "--ids"});
  const std::string ids = result["ids"].dump();  // [1,2,3]
  EXPECT_EQ(again.out, ids.substr(1, ids.size() - 2) + "\n");
}

TEST(Generate, PromptIdsAreTakenAsTheyAre) {
  // Text begins with the BOS of the model, ids do not.
  EXPECT_EQ(json_of(run(generate({"--prompt-ids", "17,4", "--json"})))["prompt_tokens"], 2);
  const json with_bos = json_of(run(generate({"--prompt", "", "--json"})));
  EXPECT_EQ(with_bos["prompt_tokens"], 1);
}

TEST(Generate, PromptFileIsReadByteForByteFromAFileOrStandardInput) {
  const ScratchDirectory scratch;
  const std::string prompt = "ROMEO.\nBut soft, what light\n";
  std::ofstream(scratch / "prompt.txt") << prompt;
  const std::string text = text_of({"--prompt", prompt});
  EXPECT_EQ(text_of({"--prompt-file", (scratch / "prompt.txt").string()}), text);
  EXPECT_EQ(text_of({"--prompt-file", "-"}, prompt), text);
}

TEST(Generate, APromptMayBeginWithADash) { text_of({"--prompt", "--well"}); }

TEST(Generate, JsonHasEveryKeyAndNothingElseIsPrinted) {
  const Outcome outcome = run(generate({"--prompt", "Once", "--json", "--seed", "3"}));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  const json result = json_of(outcome);
  EXPECT_TRUE(result["text"].is_string());
  EXPECT_EQ(result["ids"].size(), 24u);
  EXPECT_EQ(result["finish_reason"], "length");
  EXPECT_EQ(result["seed"], 3);
  EXPECT_GT(result["prompt_tokens"], 1);
  for (const char* key : {"prefill_seconds", "decode_seconds", "time_to_first_token_seconds",
                          "prefill_tokens_per_second", "decode_tokens_per_second", "peak_rss_bytes"}) {
    ASSERT_TRUE(result["timings"].contains(key)) << key;
    EXPECT_GT(result["timings"][key], 0) << key;
  }
  EXPECT_EQ(result["text"].get<std::string>() + "\n", text_of({"--prompt", "Once", "--seed", "3"}));
}

TEST(Generate, StopStringsEndTheTextBeforeThem) {
  const Arguments arguments{"--prompt", "In the beginning God", "--temperature", "0"};
  const std::string whole = text_of(arguments);
  const std::string stop = whole.substr(whole.size() / 2, 3);
  const std::string expected = whole.substr(0, whole.find(stop));
  Arguments stopped = arguments;
  for (const std::string& text : {std::string("never said"), stop}) {
    stopped.push_back("--stop");
    stopped.push_back(text);
  }
  stopped.push_back("--json");
  const json result = json_of(run(generate(stopped)));
  EXPECT_EQ(result["text"], expected);
  EXPECT_EQ(result["finish_reason"], "stop");
}

TEST(Generate, BiasesAreAppliedAndMayBeGivenSeveralTimes) {
  const json plain = json_of(run(generate({"--prompt-ids", "0", "--temperature", "0", "--json"})));
  const std::string first = plain["ids"][0].dump(), second = plain["ids"][1].dump();
  const json banned = json_of(run(generate({"--prompt-ids", "0", "--temperature", "0", "--json", "--logit-bias",
                                            first + "=-inf", "--logit-bias", second + "=1000"})));
  EXPECT_EQ(banned["ids"], json(std::vector<json>(24, plain["ids"][1])));
}

TEST(Generate, AnEndOfTextTokenEndsTheTextUnlessIgnored) {
  const Arguments always_eos{"generate", "--prompt", "x", "--max-tokens", "3", "--logit-bias", "0=1000", "--json"};
  const json ended = json_of(run(always_eos));
  EXPECT_EQ(ended["finish_reason"], "stop");
  EXPECT_EQ(ended["ids"], json::array({0}));
  EXPECT_EQ(ended["text"], "");
  Arguments ignoring = always_eos;
  ignoring.push_back("--ignore-eos");
  EXPECT_EQ(json_of(run(ignoring))["ids"], json::array({0, 0, 0}));
}

TEST(Generate, TheEosIdsOfTheConfigCountOnlyWhenAskedFor) {
  const ScratchDirectory scratch;
  std::filesystem::copy(bard(), scratch / "model");
  for (const char* name : {"model/config.json", "model/generation_config.json"}) {
    json config = json::parse(std::ifstream(scratch / name));
    config["eos_token_id"] = 2;  // as published files have it
    std::ofstream(scratch / name) << config;
  }
  const Arguments always_2{
      "generate", "--model", (scratch / "model").string(), "--prompt", "x", "--max-tokens", "3", "--logit-bias",
      "2=1000",   "--json"};
  EXPECT_EQ(json_of(run(always_2))["ids"].size(), 3u);
  Arguments honoring = always_2;
  honoring.push_back("--honor-config-eos");
  EXPECT_EQ(json_of(run(honoring))["ids"].size(), 1u);
}

TEST(Generate, NoTokensAreNoText) {
  const Outcome outcome = run({"generate", "--prompt", "x", "--max-tokens", "0"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "");
}

TEST(Generate, AnEmptyPromptOfAModelWithoutBosIsRefused) {
  expect_refused(run({"generate", "--model", bytes_mixed(), "--prompt", ""}), 2, {"prompt", "at least one token"});
}

TEST(Generate, CtrlCStopsCleanlyWith130) {
  Process process({"generate", "--prompt", "In the beginning God", "--ignore-eos", "--max-tokens", "-1"});
  ASSERT_TRUE(process.wait_for_output(" "));
  process.send_signal(SIGINT);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 130);
  EXPECT_TRUE(outcome.out.ends_with("\n"));
  EXPECT_NE(outcome.err.find("stopped by Ctrl-C"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("tok/s"), std::string::npos) << outcome.err;
}

TEST(Generate, CtrlCWithJsonStillGivesTheObject) {
  Process process({"--verbose", "generate", "--prompt", "x", "--ignore-eos", "--max-tokens", "-1", "--json"});
  ASSERT_TRUE(process.wait_for_error("Ctrl-C stops"));
  process.send_signal(SIGINT);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 130);
  EXPECT_EQ(json_of(outcome)["finish_reason"], "cancelled");
}

TEST(Generate, AReaderThatGoesAwayEndsItQuietly) {
  Process process({"generate", "--prompt", "In the beginning God", "--ignore-eos", "--max-tokens", "-1"});
  ASSERT_TRUE(process.wait_for_output(" "));
  process.close_output();
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, -SIGPIPE);
  EXPECT_EQ(outcome.err, "");
}

}  // namespace
}  // namespace xlstm::cli_test
