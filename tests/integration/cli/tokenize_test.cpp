// xlstm tokenize and detokenize as processes.

#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

using nlohmann::json;

struct Vectors {
  std::string texts, ids, decoded;  // one JSON value a line
};

Vectors read_vectors() {
  Vectors vectors;
  std::ifstream file(test_data() / "tokenizer/bard-8m.jsonl");
  for (std::string line; std::getline(file, line);) {
    const json vector = json::parse(line);
    vectors.texts += vector.at("text").dump() + "\n";
    vectors.ids += vector.at("ids").dump() + "\n";
    vectors.decoded += vector.at("decoded").dump() + "\n";
  }
  EXPECT_NE(vectors.texts, "");
  return vectors;
}

TEST(Tokenize, EveryVectorBothWaysWithEveryChoiceOfTokenizer) {
  const Vectors vectors = read_vectors();
  for (const Arguments& flags :
       {Arguments{}, Arguments{"--model", bard()}, Arguments{"--tokenizer", bard() + "/tokenizer.json"}}) {
    Arguments tokenize{"tokenize"}, detokenize{"detokenize"};
    tokenize.insert(tokenize.end(), flags.begin(), flags.end());
    detokenize.insert(detokenize.end(), flags.begin(), flags.end());
    const Outcome ids = run(tokenize, vectors.texts);
    EXPECT_EQ(ids.exit_code, 0) << ids.err;
    EXPECT_EQ(ids.err, "");
    EXPECT_EQ(ids.out, vectors.ids);
    const Outcome texts = run(detokenize, ids.out);
    EXPECT_EQ(texts.exit_code, 0) << texts.err;
    EXPECT_EQ(texts.out, vectors.decoded);
  }
}

TEST(Tokenize, AModelWithoutATokenizerFileHasBytes) {
  const Outcome ids = run({"tokenize", "--model", bytes_mixed()}, "\"A\\u00e9\"\n\"\"\n");
  EXPECT_EQ(ids.out, "[65,195,169]\n[]\n");
  EXPECT_EQ(run({"detokenize", "--model", bytes_mixed()}, ids.out).out, "\"A\xc3\xa9\"\n\"\"\n");
}

TEST(Tokenize, SpecialTokensAreParsedAndKept) {
  const Outcome ids = run({"tokenize"}, "\"<|endoftext|>\"\n");
  EXPECT_EQ(ids.out, "[0]\n");
  EXPECT_EQ(run({"detokenize"}, ids.out).out, "\"<|endoftext|>\"\n");
}

TEST(Tokenize, AnswersLineByLine) {
  Process process({"tokenize"});
  process.write("\"<|endoftext|>\"\n");
  EXPECT_TRUE(process.wait_for_output("[0]\n")) << "it waits for more input";
  process.write("\"<|endoftext|><|endoftext|>\"\n");
  EXPECT_TRUE(process.wait_for_output("[0,0]\n"));
  EXPECT_EQ(process.finish().exit_code, 0);
}

TEST(Tokenize, NoInputIsNoOutput) {
  const Outcome outcome = run({"tokenize"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "");
}

TEST(Tokenize, ALineThatIsNotAStringIsRefusedByNumber) {
  for (const std::string line : {"hello", "17", "[1]", "\"half", "", "\"\\ud800\"", "\"a\" \"b\""}) {
    const Outcome outcome = run({"tokenize"}, "\"fine\"\n" + line + "\n");
    EXPECT_EQ(outcome.exit_code, 2) << line;
    EXPECT_NE(outcome.err.find("standard input, line 2"), std::string::npos) << outcome.err;
  }
}

TEST(Tokenize, AListThatIsNotOfIdsIsRefusedByNumber) {
  for (const std::string line : {"17", "[4096]", "[-1]", "[1.5]", "[\"a\"]", "[1", "{}", "[99999999999999999999]"}) {
    const Outcome outcome = run({"detokenize"}, "[0]\n" + line + "\n");
    EXPECT_EQ(outcome.exit_code, 2) << line;
    EXPECT_NE(outcome.err.find("standard input, line 2"), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace xlstm::cli_test
