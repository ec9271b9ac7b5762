// Constrained output at the command line: generate, chat, batch.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

constexpr const char* kSchema =
    R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer"}},
        "required": ["name", "age"]})";

nlohmann::json generate(const Arguments& more, const std::string& seed = "1", const std::string& max_tokens = "-1") {
  Arguments arguments{"generate", "--prompt", "The king: ", "--json", "--max-tokens", max_tokens, "--seed", seed};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return json_of(run(arguments));
}

void expect_person(const std::string& text) {
  const nlohmann::json person = nlohmann::json::parse(text, nullptr, false);
  ASSERT_TRUE(person.is_object()) << text;
  EXPECT_TRUE(person.at("name").is_string() && person.at("age").is_number_integer()) << text;
}

TEST(Constraint, TheTextIsWhatTheFlagAsksFor) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "s.json") << kSchema;
  std::ofstream(scratch / "g.gbnf") << "root ::= [a-z]+ (\" \" [a-z]+){2}\n";
  for (const char* seed : {"1", "2", "3"}) {
    expect_person(generate({"--json-schema", kSchema}, seed)["text"]);
    EXPECT_EQ(generate({"--json-schema", (scratch / "s.json").string()}, seed)["ids"],
              generate({"--json-schema", kSchema}, seed)["ids"]);
    const nlohmann::json result = generate({"--regex", "(yes|no), [A-Z]{1,5}"}, seed);
    EXPECT_TRUE(std::regex_match(result["text"].get<std::string>(), std::regex("(yes|no), [A-Z]{1,5}"))) << result;
    EXPECT_EQ(result["finish_reason"], "stop");
  }
  const std::string words = generate({"--grammar", (scratch / "g.gbnf").string()}, "1", "40")["text"];
  EXPECT_TRUE(std::regex_match(words, std::regex("[a-z]+( [a-z]*){0,2}"))) << words;
}

TEST(Constraint, JsonObjectIsAnObjectOrTheBeginningOfOne) {
  const nlohmann::json result = generate({"--json-object", "--temperature", "0"}, "1", "20");
  EXPECT_TRUE(result["text"].get<std::string>().starts_with("{"));
  if (result["finish_reason"] == "length") return;
  EXPECT_TRUE(nlohmann::json::accept(result["text"].get<std::string>()));
}

TEST(Constraint, ATextThatGoesOnFromAFileIsTheOneItWouldHaveBeen) {
  const ScratchDirectory scratch;
  const std::string file = (scratch / "s").string();
  const nlohmann::json whole = generate({"--json-schema", kSchema});
  const nlohmann::json first = generate({"--json-schema", kSchema, "--save-state", file}, "1", "5");
  const Arguments more{"generate", "--state", file, "--json", "--max-tokens", "-1", "--json-schema", kSchema};
  const nlohmann::json second = json_of(run(more));
  EXPECT_EQ(first["text"].get<std::string>() + second["text"].get<std::string>(), whole["text"]);
  expect_refused(run({"generate", "--state", file, "--regex", "xyz"}), 2, {"constraint", "5 tokens drawn before"});
}

TEST(Constraint, EveryAnswerOfAChatMatches) {
  const Outcome outcome = run({"chat", "--regex", "(aye|nay)"}, "Wilt thou?\nAnd thou?\n");
  EXPECT_TRUE(std::regex_match(outcome.out, std::regex("((aye|nay)\n){2}"))) << outcome.out;
}

TEST(Constraint, BatchLinesHaveTheirOwn) {
  const std::string lines =
      std::string(R"({"prompt": "x", "regex": "[ab]{3}", "n": 3})") + "\n" +
      R"({"prompt": "x", "grammar": "root ::= \"c\""})" + "\n" + R"({"prompt": "x", "json_schema": {"const": 7}})" +
      "\n" + R"({"prompt": "x", "json_object": false, "max_tokens": 1, "temperature": 0})" + "\n" +
      R"({"prompt": "x"})" + "\n" + R"({"prompt": "x", "regex": "("})" + "\n" +
      R"({"prompt": "x", "regex": "a", "grammar": "b"})" + "\n" + R"({"prompt": "x", "json_schema": "{}"})" + "\n";
  const Outcome outcome = run({"batch", "--input", "-", "--output", "-", "--regex", "default", "--seed", "4"}, lines);
  EXPECT_EQ(outcome.exit_code, 2);
  std::map<int, nlohmann::json> answers;
  std::istringstream out(outcome.out);
  for (std::string line; std::getline(out, line);) {
    const nlohmann::json answer = nlohmann::json::parse(line);
    answers[answer["index"]] = answer;
  }
  const auto text = [&](int line, int choice = 0) {
    return answers[line]["choices"][choice]["text"].get<std::string>();
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::regex_match(text(0, i), std::regex("[ab]{3}"))) << text(0, i);
  EXPECT_EQ(text(1), "c");
  EXPECT_EQ(text(2), "7");
  EXPECT_NE(text(3), "d") << "no constraint";
  EXPECT_EQ(text(4), "default");
  for (const int wrong : {5, 6, 7}) EXPECT_TRUE(answers[wrong].contains("error")) << answers[wrong];
}

TEST(Constraint, FaultsAreOneLine) {
  const auto refused = [](const Arguments& flags, int code, const std::vector<std::string>& parts) {
    Arguments arguments{"generate", "--prompt", "x"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    expect_refused(run(arguments), code, parts);
  };
  refused({"--regex", "a", "--json-object"}, 2, {"--regex", "--json-object"});
  refused({"--regex", "a("}, 2, {"regex", "character 2"});
  refused({"--regex", ""}, 2, {"--regex", "a pattern"});
  refused({"--grammar", "no-such-file"}, 3, {"no-such-file"});
  refused({"--json-schema", "no-such-file"}, 3, {"no-such-file"});
  refused({"--json-schema", "{\"not\": {}}"}, 2, {"\"not\""});
  refused({"--json-schema", "{"}, 2, {"json schema"});
  refused({"--regex", "a", "--logit-bias", "66=-inf"}, 2, {"constraint"});
}

}  // namespace
}  // namespace xlstm::cli_test
