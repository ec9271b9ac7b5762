// The verb bench: what it reports and where to, for one point, a sweep, positions and a profile.

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

using nlohmann::json;

/// The fields of each line; none of ours holds a comma.
std::vector<std::vector<std::string>> csv_of(const std::filesystem::path& path) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    rows.emplace_back();
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
  }
  return rows;
}

std::vector<std::string> names_of(const json& row) {
  std::vector<std::string> names;
  for (const auto& [name, value] : row.items()) names.push_back(name);
  return names;
}

TEST(Bench, ReportsEveryFigure) {
  const Outcome outcome = run({"bench", "--prompt-tokens", "70", "--decode-tokens", "4", "--batch", "2", "--repeats",
                               "1", "--threads", "1", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const json bench = json_of(outcome);
  for (const char* key :
       {"prefill_tokens_per_second", "decode_tokens_per_second", "time_to_first_token_seconds", "peak_rss_bytes",
        "weight_bytes", "state_bytes_per_sequence", "read_bandwidth_bytes_per_second", "float32_flops_per_second",
        "decode_bandwidth_fraction", "prefill_flops_fraction", "prefill_best_tokens_per_second",
        "decode_best_tokens_per_second", "decode_step_best_seconds", "decode_bandwidth_best_fraction",
        "prefill_flops_best_fraction"}) {
    ASSERT_TRUE(bench.contains(key)) << key;
    EXPECT_GT(bench[key], 0) << key;
  }
  EXPECT_EQ(bench["weight_bytes"].get<double>(), 2.0 * 8542528);
  EXPECT_EQ(bench["threads"], 1);
  EXPECT_EQ(bench["dtype"], "bfloat16");
  EXPECT_EQ(bench["activation_dtype"], "float32");
  EXPECT_EQ(bench["state_dtype"], "float32");
  // All weights but the embedding; norms and gate biases are widened to float32. Two rows: embedding, state in and out.
  const double embedding = 4096.0 * 256, norms = 8 * (256 + 256 + 256 + 2 * 4) + 256,
               state = 8 * 4 * (32 * 64 + 33) * 4;
  EXPECT_EQ(bench["decode_step_bytes"], 2 * (8542528 - embedding) + 2 * norms + 2 * (2 * 256 + 2 * state));
#ifndef __SANITIZE_THREAD__  // whose own memory is several times the program's
  EXPECT_LT(bench["peak_rss_bytes"], 400e6) << "the buffer of the probe is counted";
#endif
}

TEST(Bench, WhatIsNotMeasuredIsZero) {
  const json bench =
      json_of(run({"bench", "--prompt-tokens", "0", "--decode-tokens", "2", "--repeats", "1", "--json"}));
  EXPECT_EQ(bench["prefill_tokens_per_second"], 0);
  EXPECT_GT(bench["decode_tokens_per_second"], 0);
}

TEST(Bench, RandomWeightsAreReproducibleAndCanBeWritten) {
  const ScratchDirectory scratch;
  const std::string model = (scratch / "165m").string();
  const Outcome written = run({"bench", "--synthetic", "165m", "--dtype", "float16", "--write", model,
                               "--prompt-tokens", "8", "--decode-tokens", "2", "--repeats", "1", "--json"});
  ASSERT_EQ(written.exit_code, 0) << written.err;
  const json bench = json_of(written), info = json_of(run({"info", "--model", model, "--json"}));
  EXPECT_EQ(info["dtype"], "float16");
  EXPECT_EQ(info["parameters"], bench["parameters"]);
  EXPECT_EQ(info["weight_bytes"], bench["weight_bytes"]);
  const json mapped = json_of(
      run({"bench", "--model", model, "--prompt-tokens", "8", "--decode-tokens", "2", "--repeats", "1", "--json"}));
  EXPECT_EQ(mapped["weight_bytes"], bench["weight_bytes"]);
  EXPECT_EQ(mapped["decode_step_bytes"], bench["decode_step_bytes"]);
}

Arguments quick(Arguments more) {
  Arguments arguments{"bench", "--synthetic", "step64", "--prompt-tokens", "20", "--decode-tokens",
                      "3",     "--repeats",   "2"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(Bench, ASweepIsAnArrayOfRowsOfTheSameFigures) {
  const json rows = json_of(run(quick({"--sweep", "batch=1,3", "threads=1,2", "--sweep", "prompt=8", "--json"})));
  ASSERT_EQ(rows.size(), 4u);
  const json one = json_of(run(quick({"--json"})));
  std::vector<std::vector<int>> points;
  for (const json& row : rows) {
    EXPECT_EQ(names_of(row), names_of(one));
    points.push_back({row["batch"], row["threads"], row["prompt_tokens"], row["decode_tokens"]});
    EXPECT_GT(row["decode_tokens_per_second"], 0);
  }
  EXPECT_EQ(points, (std::vector<std::vector<int>>{{1, 1, 8, 3}, {1, 2, 8, 3}, {3, 1, 8, 3}, {3, 2, 8, 3}}));
}

TEST(Bench, ASweepIsATableWithALinePerPoint) {
  const Outcome outcome = run(quick({"--sweep", "batch=1,2,3"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 4);
  EXPECT_EQ(outcome.err, "");
}

TEST(Bench, TheCsvFileHoldsTheRowsOfTheJson) {
  const ScratchDirectory scratch;
  const auto file = scratch / "sweep.csv";
  const Outcome outcome = run(quick({"--sweep", "batch=1,2", "--csv", file.string(), "--json"}));
  const auto rows = nlohmann::ordered_json::parse(outcome.out);
  const auto lines = csv_of(file);
  ASSERT_EQ(lines.size(), 3u);
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_EQ(lines[i + 1].size(), rows[i].size());
    std::size_t column = 0;
    for (const auto& [name, value] : rows[i].items()) {
      EXPECT_EQ(lines[0][column], name);
      const std::string text = value.is_null() ? "" : value.is_string() ? value.get<std::string>() : value.dump();
      EXPECT_EQ(lines[i + 1][column++], text) << name;
    }
  }
}

TEST(Bench, AProfileNamesEveryOperationOnceAndSharesSumToOne) {
  const json bench = json_of(run(quick({"--profile", "--json"})));
  for (const std::string phase : {"prefill", "decode"}) {
    std::set<std::string> names;
    double share = 0, bytes = 0, last = 2;
    for (const json& row : bench["profile"]) {
      if (row["phase"] != phase) continue;
      EXPECT_TRUE(names.insert(row["op"]).second) << row["op"];
      share += row["share"].get<double>();
      bytes += row["bytes"].get<double>();
      EXPECT_TRUE(row["op"] == "rest" || row["share"] <= last) << row["op"];
      last = row["share"];
    }
    EXPECT_EQ(names, (std::set<std::string>{"embed", "norm", "qkv_gates", "mlstm_cell", "cell_norm", "out_projection",
                                            "ffn_up_gate", "ffn_down", "head", "rest"}));
    EXPECT_NEAR(share, 1, 1e-9);
    EXPECT_TRUE(phase == "prefill" || bytes == bench["decode_step_bytes"]) << bytes;
  }
}

TEST(Bench, AProfileOfTheResearchLayoutNamesItsOperations) {
  const Outcome outcome = run({"bench", "--model", bytes_mixed(), "--profile", "--prompt-tokens", "40",
                               "--decode-tokens", "2", "--repeats", "1"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* part : {"up_projection", "conv", "headwise", "gates", "slstm_scan", "rest", "share", "GFLOP/s"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part;
  }
}

TEST(Bench, ThePhaseThatIsNotMeasuredHasNoProfile) {
  const json bench = json_of(run({"bench", "--synthetic", "step64", "--prompt-tokens", "0", "--profile", "--json"}));
  EXPECT_GT(bench["profile"].size(), 0u);
  for (const json& row : bench["profile"]) EXPECT_EQ(row["phase"], "decode");
}

TEST(Bench, PositionsAreRowsBesideTheFirst) {
  const ScratchDirectory scratch;
  const auto file = scratch / "positions.csv";
  const json rows = json_of(run(quick({"--positions", "10,300,9000", "--csv", file.string(), "--json"})));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(csv_of(file).size(), 4u);
  for (const json& row : rows) {
    for (const char* key : {"step_median_seconds", "step_best_seconds", "ratio_to_first", "rss_bytes"}) {
      EXPECT_GT(row[key], 0) << key;
    }
    EXPECT_EQ(row["steps"], 6);
    EXPECT_EQ(row["model"], "synthetic step64");
  }
  EXPECT_EQ(rows[0]["ratio_to_first"], 1);
  EXPECT_EQ(rows[2]["position"], 9000);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // whose own memory grows
  EXPECT_NEAR(rows[2]["rss_bytes"].get<double>(), rows[0]["rss_bytes"].get<double>(), 1e6);
#endif
}

TEST(Bench, PositionsAreATableToo) {
  const Outcome outcome = run(quick({"--positions", "10,1000"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("1,000"), std::string::npos) << outcome.out;
}

TEST(Bench, ReadingALongTextEndsAtCtrlC) {
  Process process({"bench", "--synthetic", "step64", "--positions", "10,100000000"}, {}, true);
  ASSERT_TRUE(process.wait_for_output("reading ["));
  process.send_signal(SIGINT);
  EXPECT_EQ(process.finish().exit_code, 130);
}

}  // namespace
}  // namespace xlstm::cli_test
