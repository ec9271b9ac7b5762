// xlstm state, and generate with --state and --save-state: one process goes on where another stopped.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <fstream>
#include <iterator>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

using nlohmann::json;

class State : public testing::Test {
 protected:
  std::string path(std::string_view name) const { return (scratch_ / name).string(); }
  std::string written(std::string_view name, const std::string& text) const {
    std::ofstream(scratch_ / name) << text;
    return path(name);
  }
  /// Reads `text` into a file.
  std::string saved(std::string_view name, const std::string& text, const Arguments& more = {}) const {
    Arguments arguments{"state", "save", "--prompt-file", written("text", text), "-o", path(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    return path(name);
  }
  static json generated(const Arguments& more) {
    Arguments arguments{"generate", "--ignore-eos", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return json_of(run(arguments));
  }
  static std::string bytes_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static json info(const std::string& file) { return json_of(run({"state", "info", file, "--json"})); }

  ScratchDirectory scratch_;
};

TEST_F(State, AContinuedGenerationEqualsAnUnbrokenOne) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    for (const char* temperature : {"0", "1.1"}) {
      const Arguments flags{"--temperature", temperature, "--repetition-penalty", "1.2"};
      const auto with = [&](Arguments arguments) {
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        return generated(arguments);
      };
      const Arguments begin{"--prompt", "HAMLET.", "--state-dtype", dtype, "--seed", "7"};
      const auto begun = [&](const char* count, const std::string& file) {
        Arguments arguments = begin;
        arguments.insert(arguments.end(), {"--max-tokens", count, "--save-state", file});
        return with(arguments);
      };
      const json whole = begun("30", path("whole")), first = begun("11", path("first"));
      const json second = with({"--state", path("first"), "--max-tokens", "19", "--save-state", path("second")});
      json ids = first["ids"];
      ids.insert(ids.end(), second["ids"].begin(), second["ids"].end());
      EXPECT_EQ(ids, whole["ids"]) << dtype << ' ' << temperature;
      EXPECT_EQ(first["text"].get<std::string>() + second["text"].get<std::string>(), whole["text"]);
      EXPECT_EQ(second["prompt_tokens"], 0);
      EXPECT_EQ(second["seed"], 7);
      EXPECT_EQ(second["cached_tokens"], first["prompt_tokens"].get<int>() + 11);
      const Outcome diff = run({"state", "diff", path("whole"), path("second")});
      EXPECT_EQ(diff.exit_code, 0) << diff.out;
      EXPECT_EQ(info(path("second"))["sampler"], (json{{"seed", 7}, {"drawn", 30}}));
      EXPECT_EQ(info(path("second"))["state_dtype"], dtype);
    }
  }
}

TEST_F(State, AnotherSeedGoesOnOtherwiseAndTheSameOneDoesNot) {
  generated(
      {"--prompt", "HAMLET.", "--seed", "7", "--temperature", "2", "--max-tokens", "5", "--save-state", path("s")});
  const Arguments go_on{"--state", path("s"), "--temperature", "2", "--max-tokens", "20"};
  const auto seeded = [&](const char* seed) {
    Arguments arguments = go_on;
    arguments.insert(arguments.end(), {"--seed", seed});
    return generated(arguments)["ids"];
  };
  EXPECT_EQ(seeded("7"), generated(go_on)["ids"]);
  EXPECT_NE(seeded("8"), generated(go_on)["ids"]);
}

TEST_F(State, APromptIsReadAfterTheStateWithoutBos) {
  const std::string state = saved("s", "In the beginning God");
  const json after = generated({"--state", state, "--prompt", " created the heaven", "--temperature", "0"});
  const json tokens = json_of(run({"tokenize"}, "\" created the heaven\"\n"));
  EXPECT_EQ(after["prompt_tokens"], tokens.size());
  EXPECT_EQ(after["cached_tokens"], info(state)["token_count"]);
  // The same without a file, by ids: both cuts are those of one segment.
  const json whole = generated({"--prompt", "In the beginning God created the heaven", "--temperature", "0"});
  EXPECT_EQ(after["text"], whole["text"]);
}

TEST_F(State, SaveLoadAndInfoTellTheSame) {
  const std::string state = saved("s", "In the beginning God");
  const json found = info(state);
  EXPECT_EQ(found["format_version"], 2);
  EXPECT_EQ(found["state_dtype"], "float32");
  EXPECT_EQ(found["aligned"], true);
  EXPECT_TRUE(found["sampler"].is_null());
  EXPECT_EQ(found["file_bytes"], bytes_of(state).size());
  EXPECT_EQ(found["tensors"].size(), 8u * 3 + 2);
  for (const char* key : {"model_hash", "tokenizer_hash", "ids_hash", "checksum"}) {
    EXPECT_EQ(found[key].get<std::string>().size(), 32u) << key;
  }
  const json loaded = json_of(run({"state", "load", state, "--model", bard(), "--top", "4", "--json"}));
  EXPECT_EQ(loaded["token_count"], found["token_count"]);
  ASSERT_EQ(loaded["top_tokens"].size(), 4u);
  const json greedy = generated({"--prompt", "In the beginning God", "--temperature", "0", "--max-tokens", "1"});
  EXPECT_EQ(loaded["top_tokens"][0]["id"], greedy["ids"][0]);
  EXPECT_EQ(loaded["top_tokens"][0]["text"], greedy["text"]);
  EXPECT_GE(loaded["top_tokens"][0]["probability"], loaded["top_tokens"][1]["probability"]);
  EXPECT_LE(loaded["top_tokens"][0]["probability"], 1);
  const Outcome text = run({"state", "info", state});
  for (const char* part : {"version 2", "tokens read", "float32", "[4, 32, 64]", "as it should be"}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " in " << text.out;
  }
  EXPECT_NE(run({"state", "load", state}).out.find("fits embedded"), std::string::npos);
}

TEST_F(State, ForkReadsOnlyTheNewTokens) {
  const std::string state = saved("s", "In the beginning God");
  const std::string more = written("more", " created the heaven and the earth.");
  const json forked = json_of(run({"state", "fork", state, "--append", more, "-o", path("f"), "--json"}));
  const json tokens = json_of(run({"tokenize"}, json(bytes_of(more)).dump() + "\n"));
  EXPECT_EQ(forked["read_tokens"], tokens.size());
  EXPECT_EQ(forked["token_count"], info(state)["token_count"].get<std::size_t>() + tokens.size());
  EXPECT_EQ(info(path("f"))["token_count"], forked["token_count"]);
  const Outcome again = run({"state", "fork", state, "--append", "-", "-o", path("g")}, bytes_of(more));
  EXPECT_NE(again.err.find("read " + std::to_string(tokens.size()) + " tokens"), std::string::npos) << again.err;
  EXPECT_EQ(run({"state", "diff", path("f"), path("g")}).exit_code, 0);
}

TEST_F(State, DiffTellsHowFarAndEndsWith1) {
  const std::string a = saved("a", "In the beginning God"), b = saved("b", "In the beginning man");
  const Outcome outcome = run({"state", "diff", a, b, "--json"});
  EXPECT_EQ(outcome.exit_code, 1);
  const json diff = json::parse(outcome.out);
  EXPECT_EQ(diff["equal"], false);
  EXPECT_EQ(diff["same_model"], true);
  EXPECT_EQ(diff["layers"].size(), 8u);
  EXPECT_LT(diff["common_tokens"], diff["token_counts"][0]);
  EXPECT_GT(diff["layers"][0]["max_absolute"], 0);
  const Outcome text = run({"state", "diff", a, b});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_NE(text.out.find("mean rel"), std::string::npos);
  EXPECT_EQ(run({"state", "diff", a, a}).exit_code, 0);
  expect_refused(run({"state", "diff", a, path("none")}), 3, {path("none")});
}

TEST_F(State, CompressedFilesAreTheSameState) {
  const std::string plain = saved("plain", "In the beginning God"),
                    packed = saved("packed", "In the beginning God", {"--compress"}),
                    tight = saved("tight", "In the beginning God", {"--zstd", "12"});
  EXPECT_EQ(info(packed)["compressed"], true);
  EXPECT_LT(bytes_of(packed).size(), bytes_of(plain).size());
  EXPECT_EQ(run({"state", "diff", plain, packed}).exit_code, 0);
  EXPECT_EQ(run({"state", "diff", plain, tight}).exit_code, 0);
  EXPECT_EQ(generated({"--state", packed})["ids"], generated({"--state", plain})["ids"]);
}

TEST_F(State, TheStateDtypeIsTheFilesUnlessAskedOtherwise) {
  const std::string narrow = saved("s", "In the beginning God", {"--state-dtype", "bfloat16"});
  EXPECT_LT(bytes_of(narrow).size(), 170'000u);
  ASSERT_EQ(json_of(run({"state", "load", narrow, "--json"}))["aligned"], true);
  EXPECT_EQ(json_of(run({"state", "load", narrow, "--json", "--state-dtype", "float32"}))["aligned"], false);
}

TEST_F(State, WhatDoesNotFitIsRefusedInOneLine) {
  const std::string state = saved("s", "In the beginning God");
  expect_refused(run({"state", "load", state, "--model", bytes_mixed()}), 2, {state, "model_hash"});
  expect_refused(run({"generate", "--state", state, "--model", bytes_mixed()}), 2, {state, "model_hash"});
  expect_refused(run({"state", "load", path("none")}), 3, {path("none")});
  expect_refused(run({"state", "info", written("text", "no state")}), 3, {path("text")});
  expect_refused(run({"state", "save", "-o", path("x")}), 2, {"state save", "--prompt-file"});
  expect_refused(run({"state", "save", "--prompt", "x", "-o", path("no/such/x")}), 3, {path("no/such/x"), "directory"});
  expect_refused(run({"generate", "--prompt", "x", "--save-state", path("no/x")}), 3, {path("no/x"), "directory"});
  expect_refused(run({"generate", "--prompt", "x", "--compress"}), 2, {"--compress", "--save-state"});
  expect_refused(run({"state", "save", "--prompt", "x", "-o", path("x"), "--zstd", "20"}), 2, {"--zstd", "20"});
  expect_refused(run({"state"}), 2,
                 {"expected a verb (save, load, fork, info, diff) but got none", "xlstm state --help"});
  expect_refused(run({"state", "lod", "x"}), 2, {"[state]", "did you mean 'load'?"});
  expect_refused(run({"state", "info", "x", "--jsn"}), 2, {"[state info]", "did you mean '--json'?"});
}

TEST_F(State, ADamagedFileIsRefused) {
  const std::string state = saved("s", "In the beginning God");
  std::string bytes = bytes_of(state);
  bytes[bytes.size() / 2] ^= 4;
  std::ofstream(state, std::ios::binary) << bytes;
  for (const Arguments& arguments : {Arguments{"state", "info", state}, Arguments{"state", "load", state},
                                     Arguments{"generate", "--state", state}}) {
    expect_refused(run(arguments), 3, {state, "checksum"});
  }
}

TEST_F(State, AVersion1FileIsReadButHasNothingToGoOnFrom) {
  const std::string old = (test_data() / "state/version1.safetensors").string();
  EXPECT_EQ(info(old)["format_version"], 1);
  expect_refused(run({"state", "load", old}), 2, {old, "model_hash"});
}

TEST_F(State, AFullDiskKeepsTheOldFile) {
  const std::string state = saved("s", "In the beginning God");
  const std::string before = bytes_of(state);
  rlimit old = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small = {100'000, old.rlim_max};  // the file would have 280,000
  ::signal(SIGXFSZ, SIG_IGN);                    // a full disk sends none; inherited by the child
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Outcome outcome = run({"state", "save", "--prompt", "x", "-o", state});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, SIG_DFL);
  expect_refused(outcome, 70, {state, "expected to write but got: File too large"});
  EXPECT_EQ(bytes_of(state), before);
}

TEST_F(State, CtrlCStillSavesWhatWasGenerated) {
  Process process({"generate", "--prompt", "In the beginning God", "--ignore-eos", "--max-tokens", "-1", "--save-state",
                   path("s"), "--temperature", "0"});
  ASSERT_TRUE(process.wait_for_output(" "));
  process.send_signal(SIGINT);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 130);
  const json found = info(path("s"));
  EXPECT_EQ(found["sampler"]["drawn"], found["token_count"].get<int>() - 5);
}

TEST_F(State, HelpNamesEveryVerbAndFlag) {
  for (const char* verb : {"save", "load", "fork", "info", "diff"}) {
    const Outcome outcome = run({"state", verb, "--help"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_NE(outcome.out.find("Usage: xlstm state " + std::string(verb)), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("Examples:"), std::string::npos);
    EXPECT_NE(run({"state", "--help"}).out.find("\n  " + std::string(verb) + " "), std::string::npos);
  }
}

TEST_F(State, ItsFlagsCanBeSetInTheEnvironment) {
  const Outcome outcome =
      run({"state", "save", "--prompt", "x", "-o", path("s")}, "", {{"XLSTM_MODEL", bytes_mixed()}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(run({"state", "load", path("s"), "--model", bytes_mixed()}).exit_code, 0);
}

}  // namespace
}  // namespace xlstm::cli_test
