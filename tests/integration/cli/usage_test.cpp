// Wrong command lines: one clear line on standard error, nothing on standard output, exit code 2 (or what the fault
// asks for).

#include <gtest/gtest.h>
#include <unistd.h>

#include <cctype>
#include <fstream>
#include <map>
#include <ostream>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

struct Misuse {
  Arguments arguments;
  std::vector<std::string> says;
  int exit_code = 2;
};

const std::vector<std::string> kVerbs = {"generate", "chat",       "batch", "embed",     "state",      "template",
                                         "tokenize", "detokenize", "dump",  "top",       "perplexity", "info",
                                         "convert",  "quantize",   "bench", "completion"};

std::string name_of(const Arguments& arguments) {
  std::string text;
  for (const std::string& argument : arguments) text += argument + ' ';
  return text;
}

/// "--top-k -1" -> "top_k_minus1": letters, digits and _ are all that a test's name may hold.
std::string test_name(const testing::TestParamInfo<Misuse>& test) {
  std::string name;
  for (const std::string& argument : test.param.arguments) {
    const std::string word = argument.starts_with("--") ? argument.substr(2) : argument;
    if (!name.empty()) name += '_';
    if (word.empty()) name += "empty";
    for (std::size_t i = 0; i < word.size(); ++i) {
      const bool sign = word[i] == '-' && i + 1 < word.size() && std::isdigit(word[i + 1]) != 0;
      name += std::isalnum(word[i]) != 0 ? std::string(1, word[i]) : sign ? "minus" : "_";
    }
  }
  return name.empty() ? "nothing" : name;
}

void PrintTo(const Misuse& misuse, std::ostream* out) { *out << "xlstm " << name_of(misuse.arguments); }

class Usage : public testing::TestWithParam<Misuse> {};

TEST_P(Usage, EndsInOneClearLine) { expect_refused(run(GetParam().arguments), GetParam().exit_code, GetParam().says); }

INSTANTIATE_TEST_SUITE_P(
    CommandLine, Usage,
    testing::Values(Misuse{{}, {"expected a verb (generate", "completion) but got none", "xlstm --help"}},
                    Misuse{{"generat"}, {"expected a verb but got 'generat'", "did you mean 'generate'?"}},
                    Misuse{{"zzzzzz"}, {"expected a verb (generate", "but got 'zzzzzz'", "xlstm --help"}},
                    Misuse{{"--frobnicate"}, {"expected a flag of xlstm but got '--frobnicate'"}},
                    Misuse{{"generate", "--temprature", "1"},
                           {"[generate]", "expected a flag of generate but got '--temprature'",
                            "did you mean '--temperature'?", "--help"}},
                    Misuse{{"info", "extra"}, {"expected no further argument but got 'extra'"}},
                    Misuse{{"info", "--json=perhaps"}, {"--json: expected", "'perhaps'"}},
                    Misuse{{"generate", "--prompt"}, {"--prompt: expected a value", "xlstm generate --help"}},
                    Misuse{{"generate", "--seed", "1", "--seed", "2", "--prompt", "x"}, {"--seed: expected only once"}},
                    Misuse{{"generate"}, {"--prompt", "--prompt-file", "--prompt-ids", "none"}},
                    Misuse{{"generate", "--prompt", "x", "--prompt-ids", "1"}, {"--prompt", "several"}},
                    Misuse{{"generate", "--prompt", "x", "--model", ""}, {"--model", "expected"}},
                    Misuse{{"dump", "--tokens", "1"}, {"--output: expected a value but got none"}},
                    Misuse{{"perplexity"}, {"--file: expected a value but got none"}},
                    Misuse{{"convert", "--dtype", "float16"}, {"--output: expected a value but got none"}},
                    Misuse{{"quantize"}, {"--output: expected a value but got none"}},
                    Misuse{{"quantize", "--output", ""}, {"--output: expected a name"}},
                    Misuse{{"completion"}, {"SHELL: expected a value but got none"}},
                    Misuse{{"completion", "tcsh"}, {"bash, zsh, fish", "'tcsh'"}},
                    Misuse{{"--config", "no-such-file.toml", "info"},
                           {"--config: expected a readable file but got 'no-such-file.toml'"},
                           3},
                    Misuse{{"--config"}, {"--config: expected a value but got none"}},
                    Misuse{{"--config", "", "info"}, {"--config: expected a name"}}),
    test_name);

INSTANTIATE_TEST_SUITE_P(
    Numbers, Usage,
    testing::Values(
        Misuse{{"generate", "--prompt", "x", "--max-tokens", "abc"}, {"--max-tokens", "an integer >= -1", "'abc'"}},
        Misuse{{"generate", "--prompt", "x", "--max-tokens", "-2"}, {"--max-tokens", "an integer >= -1", "'-2'"}},
        Misuse{{"generate", "--prompt", "x", "--max-tokens", "1.5"}, {"--max-tokens", "'1.5'"}},
        Misuse{{"generate", "--prompt", "x", "--max-tokens", "99999999999999999999"}, {"--max-tokens"}},
        Misuse{{"generate", "--prompt", "x", "--temperature", "-0.1"}, {"--temperature", "a number >= 0", "'-0.1'"}},
        Misuse{{"generate", "--prompt", "x", "--temperature", "nan"}, {"--temperature", "'nan'"}},
        Misuse{{"generate", "--prompt", "x", "--temperature", "inf"}, {"--temperature", "'inf'"}},
        Misuse{{"generate", "--prompt", "x", "--temperature", "1e"}, {"--temperature", "'1e'"}},
        Misuse{{"generate", "--prompt", "x", "--top-k", "-1"}, {"--top-k", "an integer >= 0"}},
        Misuse{{"generate", "--prompt", "x", "--top-p", "0"}, {"--top-p", "a number > 0 and <= 1"}},
        Misuse{{"generate", "--prompt", "x", "--top-p", "1.01"}, {"--top-p"}},
        Misuse{{"generate", "--prompt", "x", "--min-p", "2"}, {"--min-p", "a number >= 0 and <= 1"}},
        Misuse{{"generate", "--prompt", "x", "--repetition-penalty", "0"}, {"--repetition-penalty", "a number > 0"}},
        Misuse{{"generate", "--prompt", "x", "--frequency-penalty", "x"}, {"--frequency-penalty", "a number"}},
        Misuse{{"generate", "--prompt", "x", "--presence-penalty", ""}, {"--presence-penalty"}},
        Misuse{{"generate", "--prompt", "x", "--penalty-window", "-2"}, {"--penalty-window"}},
        Misuse{{"generate", "--prompt", "x", "--seed", "-1"}, {"--seed", "18446744073709551615"}},
        Misuse{{"generate", "--prompt", "x", "--threads", "-1"}, {"--threads", "from 0"}},
        Misuse{{"generate", "--prompt", "x", "--stop", ""}, {"--stop"}},
        Misuse{{"generate", "--prompt", "x", "--logit-bias", "5"}, {"--logit-bias", "ID=NUMBER", "'5'"}},
        Misuse{{"generate", "--prompt", "x", "--logit-bias", "5=nan"}, {"--logit-bias", "'5=nan'"}},
        Misuse{{"generate", "--prompt", "x", "--logit-bias", "-5=1"}, {"--logit-bias"}},
        Misuse{{"generate", "--prompt", "x", "--logit-bias", "4096=1"}, {"--logit-bias", "4096"}},
        Misuse{{"generate", "--prompt", "x", "--ignore-eos", "--honor-config-eos"},
               {"--honor-config-eos", "--ignore-eos"}},
        Misuse{{"generate", "--prompt-ids", "1,,2"}, {"--prompt-ids", "''", "id 2"}},
        Misuse{{"generate", "--prompt-ids", "1,x"}, {"--prompt-ids", "'x'"}},
        Misuse{{"generate", "--prompt-ids", ""}, {"--prompt-ids"}},
        Misuse{{"generate", "--prompt-ids", "1,-2"}, {"--prompt-ids", "'-2'"}},
        Misuse{{"generate", "--prompt-ids", "4096"}, {"expected an id from 0 to 4095 but got 4096"}},
        Misuse{{"dump", "--tokens", "0;1", "--output", "x"}, {"--tokens", "'0;1'"}},
        Misuse{{"convert", "--output", "x", "--dtype", "int8"}, {"--dtype", "bfloat16", "'int8'"}},
        Misuse{{"convert", "--output", "x", "--layout", "gguf"}, {"--layout", "hf, package", "'gguf'"}},
        Misuse{{"convert", "--output", "x", "--max-shard-size", "5XB"}, {"--max-shard-size", "500MB", "'5XB'"}},
        Misuse{{"convert", "--output", "x", "--max-shard-size", "0"}, {"--max-shard-size", "'0'"}},
        Misuse{{"convert", "--output", "x", "--max-shard-size", "-1GB"}, {"--max-shard-size", "'-1GB'"}},
        Misuse{{"quantize", "--output", "x", "--bits", "3"}, {"--bits", "one of 4, 8", "'3'"}},
        Misuse{{"quantize", "--output", "x", "--group-size", "16"}, {"--group-size", "32, 64, 128", "'16'"}},
        Misuse{{"quantize", "--output", "x", "--keep", "heads"}, {"--keep", "head, embeddings and gates", "'heads'"}},
        Misuse{{"quantize", "--output", "x", "--keep", "head,"}, {"--keep", "''"}},
        Misuse{{"quantize", "--output", "x", "--scale-dtype", "int8"}, {"--scale-dtype", "float16", "'int8'"}},
        Misuse{{"bench", "--batch", "0"}, {"--batch", "from 1"}},
        Misuse{{"bench", "--repeats", "0"}, {"--repeats", "from 1"}},
        Misuse{{"bench", "--synthetic", "8b"}, {"--synthetic", "1.3b", "'8b'"}},
        Misuse{{"bench", "--synthetic", "165m", "--dtype", "int3"}, {"--dtype", "bfloat16, int8, int4", "'int3'"}},
        Misuse{{"bench", "--dtype", "int4"}, {"--dtype", "bfloat16", "int4"}},
        Misuse{{"bench", "--synthetic", "165m", "--model", "x"}, {"--synthetic", "both"}},
        Misuse{{"bench", "--write", "x"}, {"--write", "--synthetic"}},
        Misuse{{"bench", "--sweep", "speed=1"}, {"--sweep", "batch, prompt, decode or threads", "'speed=1'"}},
        Misuse{{"bench", "--sweep", "batch=1,x"}, {"--sweep", "integers from 1", "'x'"}},
        Misuse{{"bench", "--sweep", "batch=1", "batch=2"}, {"--sweep", "expected batch only once"}},
        Misuse{{"bench", "--sweep"}, {"--sweep: expected a value but got none"}},
        Misuse{{"bench", "--positions", "0"}, {"--positions", "integers from 1", "'0'"}},
        Misuse{{"bench", "--positions", "20,10"}, {"positions", "ascending"}},
        Misuse{{"bench", "--positions", ""}, {"--positions", "expected"}},
        Misuse{{"bench", "--positions", "1", "--profile"},
               {"--sweep, --positions, --requests and --profile", "several"}},
        Misuse{{"bench", "--profile", "--backend", "mlx"}, {"backend", "mlx"}},
        Misuse{{"bench", "--csv", ""}, {"--csv", "a name"}},
        Misuse{{"bench", "--dtype", "float16"}, {"--dtype", "bfloat16", "float16"}}),
    test_name);

INSTANTIATE_TEST_SUITE_P(
    Models, Usage,
    testing::Values(Misuse{{"info", "--model", "no/such/model"}, {"no/such/model"}, 3},
                    Misuse{{"generate", "--prompt", "x", "--model", "no/such/model"}, {"no/such/model"}, 3},
                    Misuse{{"chat", "--model", "no/such/model"}, {"no/such/model"}, 3},
                    Misuse{{"convert", "--model", "no/such/model", "--output", "x"}, {"no/such/model"}, 3},
                    Misuse{{"quantize", "--model", "no/such/model", "--output", "x"}, {"no/such/model"}, 3},
                    Misuse{{"tokenize", "--model", "no/such/model"}, {"no/such/model"}, 3},
                    Misuse{{"tokenize", "--tokenizer", "no/such/tokenizer.json"}, {"no/such/tokenizer.json"}, 3},
                    Misuse{{"perplexity", "--file", "no-such-file"}, {"no-such-file"}, 3},
                    Misuse{{"perplexity", "--file", "."}, {"directory"}, 3},
                    Misuse{{"generate", "--prompt-file", "no-such-file"}, {"no-such-file"}, 3},
                    Misuse{{"generate", "--prompt-file", ""}, {"--prompt-file: expected a name"}},
                    Misuse{{"perplexity", "--file", ""}, {"--file: expected a name"}},
                    Misuse{{"tokenize", "--tokenizer", "."}, {"tokenizer.json"}, 3},
                    Misuse{{"info", "--backend", "abacus"}, {"backend", "abacus"}},
                    Misuse{{"generate", "--weights", "huge"}, {"--weights", "map, copy", "'huge'"}},
                    Misuse{{"info", "--weights", ""}, {"--weights", "copy"}},
                    Misuse{{"info", "--state-dtype", "float16"}, {"--state-dtype", "float32, bfloat16", "'float16'"}},
                    Misuse{{"info", "--state-dtype", ""}, {"--state-dtype", "bfloat16"}},
                    Misuse{{"info", "--backend", "mlx", "--state-dtype", "bfloat16"}, {"mlx", "expected"}},
                    Misuse{{"dump", "--tokens", "0", "--output", "no/such/directory/x"}, {"no/such/directory/x"}, 3},
                    Misuse{{"dump", "--tokens", "0", "--output", "."}, {"a directory"}},
                    Misuse{{"bench", "--csv", "no/such/directory/x"}, {"no/such/directory/x"}, 3}),
    test_name);

TEST(Usage, ErrorsOfReportsAreLinesTooNotJson) {
  expect_refused(run({"info", "--json", "--model", "no/such/model"}), 3, {"no/such/model"});
  expect_refused(run({"generate", "--json"}), 2, {"--prompt"});
}

TEST(Usage, HelpOfEveryVerbHasExamplesAndGoesToStandardOutput) {
  for (const std::string& verb : kVerbs) {
    SCOPED_TRACE(verb);
    const Outcome outcome = run({verb, "--help"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.err, "");
    EXPECT_NE(outcome.out.find("Examples:"), std::string::npos);
    EXPECT_NE(outcome.out.find("xlstm " + verb), std::string::npos) << outcome.out;
  }
}

TEST(Usage, HelpOfTheProgramNamesEveryVerb) {
  const Outcome outcome = run({"--help"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const std::string& verb : kVerbs) EXPECT_NE(outcome.out.find("\n  " + verb + " "), std::string::npos) << verb;
}

TEST(Usage, VersionNamesTheCommit) {
  for (const Arguments& arguments : {Arguments{"--version"}, Arguments{"generate", "--version"}}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_TRUE(outcome.out.starts_with("xlstm 0.")) << outcome.out;
    EXPECT_NE(outcome.out.find("(commit "), std::string::npos) << outcome.out;
  }
}

TEST(Usage, EveryDamagedCheckpointOfTheCorpusIsRefusedInOneLineWithItsExitCode) {
  const std::filesystem::path corpus = XLSTM_SOURCE_DIR "/tests/fuzz/corpus/checkpoint";
  std::ifstream file(corpus / "refusals.json");
  ASSERT_TRUE(file) << corpus;
  const nlohmann::json refusals = nlohmann::json::parse(file);
  const std::map<std::string, int> exit_codes{{"corrupt_file", 3}, {"not_found", 3}, {"unsupported", 2}};
  for (const auto& [name, how] : refusals.items()) {
    if (how.contains("available_bytes")) continue;  // needs a machine with less memory
    SCOPED_TRACE(name);
    Arguments arguments{"info", "--model", (corpus / how.at("directory").get<std::string>()).string()};
    if (how.value("check_weights", false)) arguments.push_back("--check-weights");
    expect_refused(run(arguments), exit_codes.at(how.at("code")), how.at("expect"));
  }
}

TEST(Usage, TheEnvironmentStandsInForFlagsAndTheCommandLineWins) {
  const Environment bad{{"XLSTM_MODEL", "no/such/model"}};
  expect_refused(run({"info"}, "", bad), 3, {"no/such/model"});
  EXPECT_EQ(json_of(run({"info", "--json", "--model", bytes_mixed()}, "", bad))["layout"], "research");
  expect_refused(run({"generate", "--prompt", "x"}, "", {{"XLSTM_TEMPERATURE", "hot"}}), 2, {"--temperature", "'hot'"});
  EXPECT_EQ(run({"info"}, "", {{"XLSTM_TEMPERATURE", "hot"}}).exit_code, 0) << "not a flag of this verb";
}

TEST(Usage, AConfigFileStandsInForFlagsAndTheCommandLineWins) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "xlstm.toml") << "[info]\nmodel = \"" << bytes_mixed() << "\"\n";
  const std::string file = (scratch / "xlstm.toml").string();
  EXPECT_EQ(json_of(run({"--config", file, "info", "--json"}))["layout"], "research");
  EXPECT_EQ(json_of(run({"info", "--config", file, "--json", "--model", bard()}))["layout"], "huggingface");
  std::ofstream(scratch / "bad.toml") << "[info]\nmodle = \"x\"\n";
  expect_refused(run({"--config", (scratch / "bad.toml").string(), "info"}), 2, {"--config", "got 'info.modle'"});
  expect_refused(run({"--config", (scratch / "").string(), "info"}), 3, {"--config: expected a readable file"});
}

TEST(Usage, AForcedCpuTargetThatThisMachineLacksIsRefused) {
  expect_refused(run({"info"}, "", {{"XLSTM_CPU_TARGET", "Z80"}}), 2, {"XLSTM_CPU_TARGET", "Z80"});
}

TEST(Usage, AClosedInputIsAnErrorWhereItIsRead) {
  for (const Arguments& arguments :
       {Arguments{"generate", "--prompt-file", "-"}, Arguments{"tokenize"}, Arguments{"detokenize"}, Arguments{"chat"},
        Arguments{"perplexity", "--file", "-"}}) {
    SCOPED_TRACE(name_of(arguments));
    expect_refused(run(arguments, "", {}, "", STDIN_FILENO), 3, {"standard input", "Bad file descriptor"});
  }
  EXPECT_EQ(run({"generate", "--prompt", "x", "--max-tokens", "2"}, "", {}, "", STDIN_FILENO).exit_code, 0);
}

TEST(Usage, AClosedOutputIsAnError) {
  for (const Arguments& arguments :
       {Arguments{"--version"}, Arguments{"info"}, Arguments{"generate", "--prompt", "x", "--max-tokens", "2"}}) {
    SCOPED_TRACE(name_of(arguments));
    expect_refused(run(arguments, "", {}, "", STDOUT_FILENO), 70, {"standard output", "Bad file descriptor"});
  }
}

TEST(Usage, WithoutStandardErrorOnlyTheNotesAreLost) {
  const Arguments arguments{"generate", "--prompt", "x", "--max-tokens", "2"};
  const Outcome outcome = run(arguments, "", {}, "", STDERR_FILENO);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, run(arguments).out);
  EXPECT_EQ(run({"generat"}, "", {}, "", STDERR_FILENO).exit_code, 2);
}

TEST(Usage, AFullDiskIsAnError) {
  for (const Arguments& arguments : {Arguments{"completion", "bash"}, Arguments{"info", "--json"}, Arguments{"--help"},
                                     Arguments{"generate", "--prompt", "x", "--max-tokens", "8"}}) {
    const Outcome outcome = run(arguments, "", {}, "/dev/full");
    EXPECT_EQ(outcome.exit_code, 70) << name_of(arguments);
    expect_refused(outcome, 70, {"standard output", "No space left"});
  }
}

}  // namespace
}  // namespace xlstm::cli_test
