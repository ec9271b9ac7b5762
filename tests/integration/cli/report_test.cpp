// The verbs that report: dump, perplexity, info, completion.

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

using nlohmann::json;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The header of a safetensors file, tensors only.
json tensors_of(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  std::uint64_t size = 0;
  if (bytes.size() < sizeof size) return {};
  std::memcpy(&size, bytes.data(), sizeof size);
  json header = json::parse(bytes.substr(sizeof size, size));
  header.erase("__metadata__");
  return header;
}

std::string token_list(const std::filesystem::path& reference, const std::string& prompt) {
  const std::string bytes = read_file(reference);
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), sizeof header_size);
  const json tensor = tensors_of(reference).at(prompt + ".tokens");
  const std::size_t width = tensor["dtype"] == "I64" ? 8 : 4;
  std::string list;
  for (std::size_t at = tensor["data_offsets"][0]; at < tensor["data_offsets"][1]; at += width) {
    std::int32_t id = 0;  // little-endian: the low half of an int64
    std::memcpy(&id, bytes.data() + sizeof header_size + header_size + at, sizeof id);
    if (!list.empty()) list += ',';
    list += std::to_string(id);
  }
  return list;
}

TEST(Dump, NamesAndShapesAreThoseOfTheReference) {
  const ScratchDirectory scratch;
  for (const std::string name : {"bard-8m", "bytes-mixed-1.5m"}) {
    const auto reference = test_data() / "reference" / (name + ".safetensors");
    const std::string output = (scratch / (name + ".safetensors")).string();
    const Outcome outcome = run({"dump", "--model", name == "bard-8m" ? bard() : bytes_mixed(), "--tokens",
                                 token_list(reference, "p7"), "--output", output});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    const json found = tensors_of(output), golden = tensors_of(reference);
    std::size_t expected = 0;
    for (const auto& [key, tensor] : golden.items()) {
      const bool wanted = key == "p7.logits" || key.starts_with("p7.state.");
      if (!wanted) continue;
      ++expected;
      ASSERT_TRUE(found.contains(key.substr(3))) << key;
      EXPECT_EQ(found[key.substr(3)]["shape"], tensor["shape"]) << key;
      EXPECT_EQ(found[key.substr(3)]["dtype"], "F32") << key;
    }
    EXPECT_GT(expected, 1u);
    EXPECT_EQ(found.size(), expected);
  }
}

TEST(Perplexity, AgreesWithTheReference) {
  const json reference = json::parse(read_file(test_data() / "reference/perplexity.json"));
  for (const auto& [name, model] :
       std::map<std::string, std::string>{{"bard-8m", bard()}, {"bytes-mixed-1.5m", bytes_mixed()}}) {
    const json& expected = reference.at(name);
    const Outcome outcome = run({"perplexity", "--model", model, "--file", (test_data() / "text/val.txt").string(),
                                 "--max-tokens", expected.at("tokens").dump(), "--json"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const json found = json_of(outcome);
    EXPECT_EQ(found["tokens"], expected["tokens"]);
    EXPECT_NEAR(found["nll_per_token"], expected["nll_per_token"].get<double>(), 1e-3);
    EXPECT_NEAR(found["perplexity"], std::exp(found["nll_per_token"].get<double>()), 1e-6);
  }
}

TEST(Perplexity, TheBosCountsAsATokenAndCanBeLeftOut) {
  const std::string text = "It was the best of times";
  const json with = json_of(run({"perplexity", "--file", "-", "--json"}, text));
  const json without = json_of(run({"perplexity", "--file", "-", "--json", "--no-bos"}, text));
  EXPECT_EQ(with["tokens"].get<int>(), without["tokens"].get<int>() + 1);
  EXPECT_EQ(json_of(run({"perplexity", "--file", "-", "--json", "--max-tokens", "3"}, text))["tokens"], 3);
}

TEST(Perplexity, NeedsSomethingToPredict) {
  expect_refused(run({"perplexity", "--file", "-"}, ""), 2, {"at least 2 tokens"});
}

TEST(Perplexity, IsReadableWithoutJson) {
  const Outcome outcome = run({"perplexity", "--file", "-"}, "It was the best of times");
  EXPECT_NE(outcome.out.find("perplexity"), std::string::npos);
  EXPECT_EQ(outcome.err, "");
}

TEST(Perplexity, ComparesAModelWithItsQuantisedCopy) {
  const ScratchDirectory scratch;
  const std::string int4 = (scratch / "int4").string(), file = (test_data() / "text/val.txt").string();
  ASSERT_EQ(run({"quantize", "--output", int4}).exit_code, 0);
  const Arguments text = {"perplexity", "--file", file, "--max-tokens", "600", "--compare"};
  const auto with = [&](Arguments more) {
    more.insert(more.begin(), text.begin(), text.end());
    return run(more);
  };
  const json same = json_of(with({bard(), "--layers", "--json"}));
  EXPECT_EQ(same["compared"]["mean_kl"], 0.0);
  EXPECT_EQ(same["compared"]["max_kl"], 0.0);
  EXPECT_EQ(same["compared"]["top1_agreement"], 1.0);
  EXPECT_EQ(same["compared"]["layer_errors"], json(std::vector<double>(9, 0.0)));

  const json apart = json_of(with({int4, "--layers", "--json"})), compared = apart["compared"];
  EXPECT_EQ(apart["tokens"], 600);
  EXPECT_EQ(apart["perplexity"], same["perplexity"]);
  EXPECT_EQ(compared["model"], int4);
  EXPECT_GT(compared["mean_kl"], 0.0);
  EXPECT_LT(compared["mean_kl"], 1.0);
  EXPECT_GT(compared["max_kl"], compared["mean_kl"]);
  EXPECT_LT(compared["top1_agreement"], 1.0);
  EXPECT_GT(compared["top1_agreement"], 0.5);
  EXPECT_NEAR(compared["perplexity_change_percent"],
              100 * (compared["perplexity"].get<double>() / apart["perplexity"].get<double>() - 1), 1e-9);
  ASSERT_EQ(compared["layer_errors"].size(), 9u);
  for (const json& error : compared["layer_errors"]) {
    EXPECT_GT(error, 0.0);
    EXPECT_LT(error, 1.0);
  }
  const Outcome readable = with({int4, "--layers", "--activation-dtype", "int8"});
  EXPECT_NE(readable.out.find("top-1 agreement"), std::string::npos) << readable.err;
  EXPECT_NE(readable.out.find("block 7"), std::string::npos);
  EXPECT_FALSE(json_of(with({int4, "--json"}))["compared"].contains("layer_errors"));
}

TEST(Perplexity, RefusesWhatCannotBeCompared) {
  const std::string file = (test_data() / "text/val.txt").string();
  expect_refused(run({"perplexity", "--file", file, "--compare", bytes_mixed()}), 2, {"size of the vocabulary", "256"});
  expect_refused(run({"perplexity", "--file", file, "--compare", "/nowhere"}), 3, {"/nowhere"});
  expect_refused(run({"perplexity", "--file", file, "--layers"}), 2, {"--compare"});
}

TEST(Info, TellsWhatAModelIs) {
  const json info = json_of(run({"info", "--json"}));
  EXPECT_EQ(info["source"], "embedded");
  EXPECT_EQ(info["layout"], "huggingface");
  EXPECT_EQ(info["parameters"], 8542528);
  EXPECT_EQ(info["dtype"], "bfloat16");
  EXPECT_EQ(info["weight_bytes"].get<double>(), 2.0 * 8542528);
  EXPECT_EQ(info["state_bytes_per_sequence"], 8 * 4 * (32 * 64 + 32 + 1) * 4);
  EXPECT_EQ(info["tokenizer"]["kind"], "byte-level BPE");
  EXPECT_EQ(info["tokenizer"]["vocab_size"], 4096);
  EXPECT_GT(info["memory_needed_bytes"], info["weight_bytes"]);
  EXPECT_GE(info["threads"], 1);
  for (const char* key : {"cpu_target", "mlx_version", "backend", "backends", "commit", "version"}) {
    EXPECT_TRUE(info.contains(key)) << key;
  }
}

TEST(Info, SumsUpHowWeightsAreStored) {
  const std::string model = XLSTM_SOURCE_DIR "/tests/fuzz/corpus/good/wide_int4_modules";
  const Outcome text = run({"info", "--model", model});
  EXPECT_NE(text.out.find("int4 (group 32), 16 tensors float32, 1 tensor int8 (group 32)\n"), std::string::npos)
      << text.out;
  const json info = json_of(run({"info", "--model", model, "--json"}));
  EXPECT_EQ(info["dtype"], "int4");
  ASSERT_EQ(info["weights"].size(), 3u);
  EXPECT_EQ(info["weights"][0]["group_size"], 32);
  EXPECT_TRUE(info["weights"][1]["group_size"].is_null());
  std::int64_t parameters = 0, bytes = 0;
  for (const json& kind : info["weights"]) {
    parameters += kind["parameters"].get<std::int64_t>();
    bytes += kind["bytes"].get<std::int64_t>();
  }
  EXPECT_EQ(info["parameters"], parameters);
  EXPECT_EQ(info["weight_bytes"], bytes);
}

TEST(Info, TellsWhereTheWeightsLie) {
  const json mapped = json_of(run({"info", "--model", bard(), "--json"})),
             copied = json_of(run({"info", "--model", bard(), "--weights", "copy", "--json"}));
  EXPECT_EQ(mapped["copied_bytes"], 0);
  EXPECT_GT(mapped["mapped_bytes"], 16'900'000);
  // Norms and gate biases, stored in bfloat16.
  const std::int64_t widened = mapped["weight_bytes"].get<std::int64_t>() - mapped["mapped_bytes"].get<std::int64_t>();
  EXPECT_EQ(mapped["repacked_bytes"], 2 * widened);
  EXPECT_EQ(copied["mapped_bytes"], 0);
  EXPECT_EQ(copied["copied_bytes"], mapped["weight_bytes"]);
  EXPECT_EQ(copied["repacked_bytes"], mapped["repacked_bytes"]);
  EXPECT_EQ(copied["memory_needed_bytes"], mapped["memory_needed_bytes"]);
  EXPECT_GE(copied["huge_page_bytes"], 0);  // what the system grants
  const Outcome text = run({"info", "--model", bard(), "--weights", "copy"});
  EXPECT_NE(text.out.find("weights       16.3 MiB (mapped 0 bytes, copied 16.3 MiB, repacked "), std::string::npos)
      << text.out;
  EXPECT_NE(text.out.find("\nhuge pages    "), std::string::npos) << text.out;
}

TEST(Info, TellsTheResearchLayoutApart) {
  const json info = json_of(run({"info", "--json", "--model", bytes_mixed()}));
  EXPECT_EQ(info["layout"], "research");
  EXPECT_EQ(info["parameters"], 1497056);
  EXPECT_EQ(info["blocks"], json({"mLSTM", "sLSTM", "mLSTM", "mLSTM", "sLSTM", "mLSTM"}));
  EXPECT_EQ(info["tokenizer"]["kind"], "bytes");
  EXPECT_TRUE(info["tokenizer"]["bos_token_id"].is_null());
}

TEST(Info, CountsABfloat16State) {
  const json wide = json_of(run({"info", "--json"})),
             narrow = json_of(run({"info", "--json", "--state-dtype", "bfloat16"}));
  EXPECT_EQ(wide["state_dtype"], "float32");
  EXPECT_EQ(narrow["state_dtype"], "bfloat16");
  const std::int64_t saved = 8 * 4 * 32 * 64 * 2;
  EXPECT_EQ(narrow["state_bytes_per_sequence"], wide["state_bytes_per_sequence"].get<std::int64_t>() - saved);
  EXPECT_EQ(narrow["memory_needed_bytes"], wide["memory_needed_bytes"].get<std::int64_t>() - saved);
  const Outcome outcome = run({"--verbose", "info", "--state-dtype", "bfloat16"});
  EXPECT_NE(outcome.out.find("a sequence, whatever its length (bfloat16)"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("state bfloat16"), std::string::npos) << outcome.err;
}

TEST(Info, IsReadableWithoutJson) {
  const Outcome outcome = run({"info", "--threads", "1"});
  EXPECT_EQ(outcome.err, "");
  for (const char* part : {"8,542,528", "byte-level BPE", "memory needed", "a sequence", "1 threads, set by: --threads",
                           "caches", "L1d", "cgroup quota", "cgroup limit"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << " in " << outcome.out;
  }
  for (const std::string name : json_of(run({"info", "--json"}))["cpu_targets"]) {
    EXPECT_NE(outcome.out.find(name), std::string::npos) << name << " in " << outcome.out;
  }
}

TEST(Info, TellsWhatTheMachineGrants) {
  const json info = json_of(run({"info", "--json"}));
  const json& cores = info["cores"];
  EXPECT_EQ(info["threads"], cores["available"]);
  EXPECT_GE(cores["affinity"], cores["available"]);
  EXPECT_GE(cores["online"], cores["affinity"]);
  EXPECT_TRUE(cores["quota"].is_null() || cores["quota"] > 0) << cores;
  for (const char* cache : {"l1d_bytes", "l2_bytes", "l3_bytes"}) {
    ASSERT_TRUE(info["caches"].contains(cache)) << cache;
    EXPECT_TRUE(info["caches"][cache].is_null() || info["caches"][cache] > 0) << info["caches"];
  }
  ASSERT_TRUE(info.contains("memory_limit_bytes"));
  EXPECT_TRUE(info["memory_limit_bytes"].is_null() || info["memory_limit_bytes"] > 0);
}

TEST(Info, SaysWhatSetTheNumberOfThreads) {
  EXPECT_EQ(json_of(run({"info", "--json", "--threads", "3"}))["threads_set_by"], "--threads");
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  const json info = json_of(run({"info", "--json"}));
  ASSERT_EQ(::sched_setaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(info["threads"], 1);
  EXPECT_EQ(info["cores"]["affinity"], 1);
  EXPECT_EQ(info["threads_set_by"], info["cores"]["online"] > 1 ? "affinity mask" : "machine");
}

TEST(Info, AForcedCpuTargetIsTheOneTold) {
  const std::string slowest = json_of(run({"info", "--json"}))["cpu_targets"].back();
  EXPECT_EQ(json_of(run({"info", "--json"}, "", {{"XLSTM_CPU_TARGET", slowest}}))["cpu_target"], slowest);
}

TEST(Bench, AStepMovesTheStateInTheTypeItIsKeptIn) {
  const auto step_bytes = [](const std::string& dtype) {
    const json bench = json_of(run({"bench", "--prompt-tokens", "0", "--decode-tokens", "1", "--batch", "2",
                                    "--repeats", "1", "--state-dtype", dtype, "--json"}));
    return bench["decode_step_bytes"].get<double>();
  };
  EXPECT_EQ(step_bytes("float32") - step_bytes("bfloat16"), 2.0 * 2 * (8 * 4 * 32 * 64 * 2));
}

bool installed(const std::string& program) {
  return std::system(("command -v " + program + " > /dev/null").c_str()) == 0;
}

TEST(Completion, ScriptsAreValidAndNameEveryVerbAndFlag) {
  const ScratchDirectory scratch;
  const std::map<std::string, std::string> checks{
      {"bash", "bash -n "}, {"zsh", "zsh -n "}, {"fish", "fish --no-execute "}};
  for (const auto& [shell, check] : checks) {
    const Outcome outcome = run({"completion", shell});
    EXPECT_EQ(outcome.exit_code, 0);
    const std::string dashes = shell == "fish" ? "-l " : "--";
    for (const char* word : {"generate", "perplexity", "quantize", "prompt-file", "logit-bias", "synthetic", "no-bos",
                             "max-shard-size", "save-state", "append", "num-beams", "stats-socket"}) {
      EXPECT_NE(outcome.out.find(word), std::string::npos) << shell << ' ' << word;
    }
    const std::string file = (scratch / shell).string();
    std::ofstream(file) << outcome.out;
    if (!installed(shell)) {
      std::cout << shell << " is not installed: its script is not checked for syntax\n";
      continue;
    }
    EXPECT_EQ(std::system((check + file).c_str()), 0) << shell;
  }
}

std::string complete_in_bash(const std::filesystem::path& script, const std::string& words) {
  const std::string count = std::to_string(std::count(words.begin(), words.end(), ' '));
  const std::string command = "bash -c 'source " + script.string() + "; COMP_WORDS=(" + words +
                              "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _xlstm; echo \"${COMPREPLY[@]}\"' > " +
                              script.string() + ".out";
  EXPECT_EQ(std::system(command.c_str()), 0) << count;
  return read_file(script.string() + ".out");
}

TEST(Completion, WorksInBash) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "xlstm.bash") << run({"completion", "bash"}).out;
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm gen"), "generate\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm perplexity --no-bo"), "--no-bos\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm bench --dtype b"), "bfloat16\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm completion f"), "fish\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm convert --layout p"), "package\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm quantize --group-size 1"), "128\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm state fo"), "fork\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm state fork --app"), "--append\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm generate --prompt state --save-s"), "--save-state\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm generate --early-stopping ne"), "never\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm chat --draft ng"), "ngram\n");
  EXPECT_EQ(
      complete_in_bash(scratch / "xlstm.bash", "xlstm generate --messages " + (scratch / "xlstm.bash.o").string()),
      (scratch / "xlstm.bash.out").string() + "\n");
  EXPECT_EQ(complete_in_bash(scratch / "xlstm.bash", "xlstm state info " + (scratch / "xlstm.bash.o").string()),
            (scratch / "xlstm.bash.out").string() + "\n");
}

TEST(Completion, WorksInFish) {
  if (!installed("fish")) GTEST_SKIP() << "fish is not installed";
  const ScratchDirectory scratch;
  std::ofstream(scratch / "xlstm.fish") << run({"completion", "fish"}).out;
  const auto complete = [&](const std::string& words) {
    const std::string file = (scratch / "xlstm.fish").string();
    const std::string command =
        "fish --no-config -c 'source " + file + "; complete -C \"" + words + "\"' | cut -f1 > " + file + ".out";
    EXPECT_EQ(std::system(command.c_str()), 0) << words;
    return read_file(file + ".out");
  };
  EXPECT_EQ(complete("xlstm gen"), "generate\n");
  EXPECT_EQ(complete("xlstm generate --num-b"), "--num-beams\n");
  EXPECT_EQ(complete("xlstm generate --early-stopping ne"), "never\n");
  EXPECT_EQ(complete("xlstm chat --draft ng"), "ngram\n");
  EXPECT_EQ(complete("xlstm state fo"), "fork\n");
}

}  // namespace
}  // namespace xlstm::cli_test
