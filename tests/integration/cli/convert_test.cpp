// xlstm convert as a user runs it.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

json info(const fs::path& model) { return json_of(run({"info", "--json", "--model", model.string()})); }

TEST(Convert, ADtypeAndBackGivesTheSameText) {
  const ScratchDirectory scratch;
  const std::string wide = (scratch / "f32").string(), back = (scratch / "bf16").string();
  const Outcome there = run({"convert", "--dtype", "float32", "--output", wide});
  ASSERT_EQ(there.exit_code, 0) << there.err;
  EXPECT_EQ(there.err, "");
  EXPECT_NE(there.out.find("wrote " + wide + ": 8,542,528 parameters, float32, 32.6 MiB of weights (from 16.3 MiB)\n"),
            std::string::npos)
      << there.out;
  EXPECT_EQ(info(wide)["dtype"], "float32");
  EXPECT_EQ(run({"convert", "--model", wide, "--dtype", "bfloat16", "--output", back}).exit_code, 0);
  const Arguments generate{"generate", "--prompt", "It was", "--temperature", "0", "--max-tokens", "12"};
  Arguments converted = generate;
  converted.insert(converted.end(), {"--model", back});
  EXPECT_EQ(run(converted).out, run(generate).out);
}

TEST(Convert, LayoutsAndShards) {
  const ScratchDirectory scratch;
  const std::string package = (scratch / "package").string(), hf = (scratch / "hf").string();
  const json report =
      json_of(run({"convert", "--layout", "package", "--max-shard-size", "5MB", "--output", package, "--json"}));
  EXPECT_EQ(report["output"], package);
  EXPECT_EQ(report["parameters"], 8542528);
  EXPECT_EQ(report["bytes"], report["source_bytes"]);
  EXPECT_EQ(report["weights"][0]["dtype"], "bfloat16");
  EXPECT_TRUE(fs::exists(scratch / "package/model_3.safetensors"));
  EXPECT_EQ(info(package)["layout"], "package");
  EXPECT_EQ(run({"convert", "--model", package, "--layout", "hf", "--output", hf}).exit_code, 0);
  EXPECT_EQ(info(hf)["layout"], "huggingface");
  EXPECT_EQ(read_file(fs::path(hf) / "tokenizer.json"), read_file(fs::path(bard()) / "tokenizer.json"));
}

TEST(Convert, AResearchCheckpointChangesItsDtypeButNotItsLayout) {
  const ScratchDirectory scratch;
  const std::string out = (scratch / "out").string();
  EXPECT_EQ(run({"convert", "--model", bytes_mixed(), "--dtype", "float16", "--output", out}).exit_code, 0);
  EXPECT_EQ(info(out)["layout"], "research");
  EXPECT_EQ(info(out)["dtype"], "float16");
  expect_refused(run({"convert", "--model", bytes_mixed(), "--layout", "hf", "--output", (scratch / "x").string()}), 2,
                 {"--layout", "block stack"});
}

TEST(Convert, AnOutputThatIsThereIsNotTouched) {
  const ScratchDirectory scratch;
  fs::create_directory(scratch / "full");
  std::ofstream(scratch / "full/notes.txt") << "mine";
  const Arguments convert{"convert", "--dtype", "float16", "--output"};
  const auto to = [&](const fs::path& path) {
    Arguments arguments = convert;
    arguments.push_back(path.string());
    return run(arguments);
  };
  expect_refused(to(scratch / "full"), 2, {"full", "\"notes.txt\""});
  expect_refused(to(scratch / "full/notes.txt"), 2, {"notes.txt", "but got a file"});
  expect_refused(to(scratch / "full/notes.txt/out"), 3, {"notes.txt/out", "Not a directory"});
  expect_refused(to(scratch / "no/such"), 3, {"no/such", "No such file"});
  expect_refused(to("/proc/out"), 3, {"/proc/out"});
  EXPECT_EQ(read_file(scratch / "full/notes.txt"), "mine");
  fs::remove(scratch / "full/notes.txt");
  EXPECT_EQ(to(scratch / "full").exit_code, 0);
  EXPECT_TRUE(fs::exists(scratch / "full/config.json"));
}

TEST(Convert, ADamagedModelLeavesNothing) {
  const ScratchDirectory scratch;
  const std::string corpus = XLSTM_SOURCE_DIR "/tests/fuzz/corpus/checkpoint/";
  for (const char* name : {"truncated_data", "nan_weight", "quantized_without_biases", "config_not_json"}) {
    const Outcome outcome =
        run({"convert", "--model", corpus + name, "--dtype", "bfloat16", "--output", (scratch / "out").string()});
    expect_refused(outcome, 3, {name});
    EXPECT_TRUE(fs::is_empty(scratch / "")) << name;
  }
}

/// A model that takes a while to write, and runs that are sent signals while they do.
class ConvertSignals : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(run({"bench", "--synthetic", "165m", "--write", model_, "--prompt-tokens", "0", "--decode-tokens", "0",
                   "--repeats", "1"})
                  .exit_code,
              0);
    fs::create_directory(results_);
  }

  /// `signal` twice, once its temporary directory is there. A run that ends before the signal comes says nothing; of
  /// several one is caught.
  Outcome stopped_by(int signal) const {
    for (int attempt = 0; attempt < 5; ++attempt) {
      Process process(convert());
      const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(2);
      while (fs::is_empty(results_) && std::chrono::steady_clock::now() < give_up) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      process.send_signal(signal);
      process.send_signal(signal);
      Outcome outcome = process.finish();
      if (outcome.exit_code != 0) return outcome;
      fs::remove_all(results_ / "out");
    }
    ADD_FAILURE() << "every run ended before signal " << signal;
    return {};
  }
  Arguments convert() const {
    return {"convert", "--model",  model_,
            "--dtype", "float32",  "--max-shard-size",
            "1MB",     "--output", (results_ / "out").string()};
  }

  const ScratchDirectory scratch_;
  const std::string model_ = (scratch_ / "165m").string();
  const fs::path results_ = scratch_ / "results";
};

// A second one may not cut the cleaning short.
TEST_F(ConvertSignals, ThatCanBeHandledLeaveNothing) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    expect_refused(stopped_by(signal), 128 + signal, {"cancelled"});
    EXPECT_TRUE(fs::is_empty(results_)) << signal;
  }
}

TEST_F(ConvertSignals, WhatAKilledRunHasLeftIsRemovedByTheNext) {
  EXPECT_EQ(stopped_by(SIGKILL).exit_code, -SIGKILL);
  ASSERT_FALSE(fs::is_empty(results_));
  const std::string left = fs::directory_iterator(results_)->path().filename().string();
  const Outcome next = run(convert());
  EXPECT_EQ(next.exit_code, 0) << next.err;
  EXPECT_NE(next.err.find("removed what a killed process has left in "), std::string::npos) << next.err;
  EXPECT_NE(next.err.find(left), std::string::npos) << next.err;
  EXPECT_EQ(std::distance(fs::directory_iterator(results_), fs::directory_iterator()), 1);
  EXPECT_TRUE(fs::exists(results_ / "out/config.json"));
}

// What has nothing to clean up ends as programs do.
TEST(Signals, ThatNobodyWaitsForEndTheProgram) {
  for (const int signal : {SIGTERM, SIGHUP}) {
    Process process({"generate", "--prompt", "It was", "--max-tokens", "-1", "--ignore-eos"});
    ASSERT_TRUE(process.wait_for_output(" "));
    process.send_signal(signal);
    EXPECT_EQ(process.finish().exit_code, -signal);
  }
}

}  // namespace
}  // namespace xlstm::cli_test
