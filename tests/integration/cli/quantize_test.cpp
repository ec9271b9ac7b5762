// xlstm quantize as a user runs it.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json info(const fs::path& model) { return json_of(run({"info", "--json", "--model", model.string()})); }

TEST(Quantize, WritesAModelThatSaysWhatItIsAndListsWhatStayed) {
  const ScratchDirectory scratch;
  const std::string out = (scratch / "int4").string();
  const Outcome outcome = run({"quantize", "--output", out});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "wrote " + out +
                             ": 8,542,528 parameters, int4 (group 64), 57 tensors bfloat16, 4.6 MiB of weights "
                             "(from 16.3 MiB)\n");
  EXPECT_NE(outcome.err.find("not quantised: backbone.blocks.*.mlstm_layer.igate_preact.weight x 8 (a gate)\n"),
            std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("not quantised: backbone.out_norm.weight (a norm)\n"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("lm_head"), std::string::npos) << outcome.err;
  const json model = info(out);
  EXPECT_EQ(model["dtype"], "int4");
  EXPECT_EQ(model["parameters"], 8542528);
  EXPECT_EQ(model["weights"][0]["group_size"], 64);
  EXPECT_EQ(model["tokenizer"]["kind"], "byte-level BPE");
}

TEST(Quantize, FlagsChooseBitsGroupsScalesAndWhatIsKept) {
  const ScratchDirectory scratch;
  const std::string out = (scratch / "int8").string();
  const json report = json_of(run({"quantize", "--bits", "8", "--group-size", "128", "--keep", "head,embeddings,gates",
                                   "--scale-dtype", "float32", "--output", out, "--json"}));
  std::map<std::string, std::string> kept;
  for (const json& tensor : report["not_quantized"]) kept[tensor["tensor"]] = tensor["reason"];
  EXPECT_EQ(kept["lm_head.weight"], "--keep head");
  EXPECT_EQ(kept["backbone.embeddings.weight"], "--keep embeddings");
  EXPECT_EQ(kept["backbone.blocks.7.ffn.proj_down.weight"], "width 704: groups of 128 do not divide it");
  const json model = info(out);
  EXPECT_EQ(model["weight_bytes"], report["bytes"]);
  std::set<std::string> kinds;
  for (const json& kind : model["weights"]) kinds.insert(kind["dtype"]);
  EXPECT_EQ(kinds, (std::set<std::string>{"bfloat16", "int8"}));
  EXPECT_EQ(model["weights"], report["weights"]);
}

TEST(Quantize, AResearchCheckpointTooAndBackToFloats) {
  const ScratchDirectory scratch;
  const std::string out = (scratch / "int4").string(), back = (scratch / "f32").string();
  EXPECT_EQ(run({"quantize", "--model", bytes_mixed(), "--output", out}).exit_code, 0);
  EXPECT_EQ(run({"convert", "--model", out, "--dtype", "float32", "--output", back}).exit_code, 0);
  EXPECT_EQ(info(back)["dtype"], "float32");
  EXPECT_EQ(info(back)["weight_bytes"], info(bytes_mixed())["weight_bytes"]);
}

TEST(Quantize, ScalesCanBeThoseOfMlx) {
  const ScratchDirectory scratch;
  const std::string mlx = (scratch / "mlx").string(), searched = (scratch / "searched").string();
  ASSERT_EQ(run({"quantize", "--scales", "mlx", "--output", mlx}).exit_code, 0);
  ASSERT_EQ(run({"quantize", "--output", searched}).exit_code, 0);
  const auto kl = [](const std::string& model) {
    const json found = json_of(run({"perplexity", "--file", (test_data() / "text/val.txt").string(), "--max-tokens",
                                    "2000", "--compare", model, "--json"}));
    return found["compared"]["mean_kl"].get<double>();
  };
  EXPECT_LT(kl(searched), 0.9 * kl(mlx));
}

TEST(Quantize, ATargetMixesBitsByMeasuredDamage) {
  const ScratchDirectory scratch;
  const std::string out = (scratch / "mixed").string();
  const Arguments arguments = {"quantize", "--model",  bytes_mixed(), "--target-bits",        "10", "--output", out,
                               "--json",   "--scales", "mlx",         "--calibration-tokens", "64"};
  const json report = json_of(run(arguments));
  EXPECT_LE(report["bits_per_weight"], 10.0);  // its head-wise matrices stay float32
  EXPECT_GT(report["bits_per_weight"], 9.0);
  std::map<int, int> counts;
  for (const json& module : report["recipe"]) ++counts[module["bits"]];
  EXPECT_GT(counts[4], 0);
  EXPECT_GT(counts[8], 0);
  EXPECT_GE(report["recipe"].front()["kl"], report["recipe"].back()["kl"]);
  const json text = json_of(run({"perplexity", "--model", out, "--file", "-", "--json"}, "It was the best of times"));
  EXPECT_GT(text["perplexity"], 1.0);
}

TEST(Quantize, ATargetThatCannotBeIsRefused) {
  const ScratchDirectory scratch;
  const std::string out = (scratch / "out").string();
  const std::string empty = (scratch / "empty").string();
  std::ofstream(empty).flush();
  const auto with = [&](Arguments more) {
    more.insert(more.begin(), {"quantize", "--model", bytes_mixed(), "--output", out});
    return run(more);
  };
  expect_refused(with({"--target-bits", "3", "--calibration-tokens", "8"}), 2, {"target bits", "at least", "got 3"});
  expect_refused(with({"--target-bits", "5", "--bits", "8"}), 2, {"--bits", "--target-bits"});
  expect_refused(with({"--target-bits", "nan"}), 2, {"--target-bits"});
  expect_refused(with({"--calibrate", "book.txt"}), 2, {"--target-bits"});
  expect_refused(with({"--target-bits", "10", "--calibrate", "/nowhere.txt"}), 3, {"/nowhere.txt"});
  expect_refused(with({"--target-bits", "10", "--calibrate", empty}), 2, {empty, "but got nothing"});
  EXPECT_FALSE(fs::exists(out));
}

TEST(Quantize, WhatCannotBeQuantisedIsRefusedAndLeavesNothing) {
  const ScratchDirectory scratch;
  const std::string int4 = (scratch / "int4").string(), out = (scratch / "out").string();
  ASSERT_EQ(run({"quantize", "--output", int4}).exit_code, 0);
  expect_refused(run({"quantize", "--model", int4, "--output", out}), 2, {"quantised ones", "convert"});
  expect_refused(run({"quantize", "--output", int4}), 2, {"int4", "empty directory"});
  expect_refused(run({"quantize", "--model", XLSTM_SOURCE_DIR "/tests/fuzz/corpus/good/package", "--output", out}), 2,
                 {"groups of 64"});
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch / ""), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace xlstm::cli_test
