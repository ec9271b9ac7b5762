// Every key of a line of xlstm batch: what it does, and its wrong form.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

using nlohmann::json;

/// Answers of the lines, in their order.
std::vector<json> answers(const std::vector<json>& lines, const Arguments& more = {}, int exit_code = 0) {
  std::string input;
  for (const json& line : lines) input += line.dump() + "\n";
  Arguments arguments{"batch", "-i", "-", "-o", "-", "--max-tokens", "6"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = run(arguments, input);
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
  std::vector<json> found(lines.size());
  std::istringstream stream(outcome.out);
  for (std::string line; std::getline(stream, line);) {
    const json answer = json::parse(line);
    found.at(answer.at("index").get<std::size_t>()) = answer;
  }
  return found;
}

json line(json more) {
  if (!more.contains("prompt_ids") && !more.contains("messages")) more["prompt"] = "Once";
  return more;
}

json ids(const json& answer, std::size_t i = 0) { return answer.at("choices").at(i).at("ids"); }

TEST(BatchKeys, DoWhatTheFlagsOfGenerateDo) {
  const std::vector<std::pair<json, Arguments>> cases = {
      {{{"max_tokens", 3}}, {"--max-tokens", "3"}},
      {{{"min_tokens", 4}, {"logit_bias", {{"0", 1000}}}}, {"--min-tokens", "4", "--logit-bias", "0=1000"}},
      {{{"temperature", 1.5}}, {"--temperature", "1.5"}},
      {{{"top_k", 2}, {"temperature", 2}}, {"--top-k", "2", "--temperature", "2"}},
      {{{"top_p", 0.3}}, {"--top-p", "0.3"}},
      {{{"min_p", 0.5}}, {"--min-p", "0.5"}},
      {{{"repetition_penalty", 3}, {"temperature", 0}}, {"--repetition-penalty", "3", "--temperature", "0"}},
      {{{"frequency_penalty", 5}, {"temperature", 0}}, {"--frequency-penalty", "5", "--temperature", "0"}},
      {{{"presence_penalty", 5}, {"temperature", 0}}, {"--presence-penalty", "5", "--temperature", "0"}},
      {{{"presence_penalty", 5}, {"penalty_window", 1}, {"temperature", 0}},
       {"--presence-penalty", "5", "--penalty-window", "1", "--temperature", "0"}},
      {{{"seed", 9}}, {"--seed", "9"}},
      {{{"stop", "s"}}, {"--stop", "s"}},
      {{{"stop", {"zz", "e"}}}, {"--stop", "zz", "--stop", "e"}},
      {{{"stop_ids", {17}}, {"logit_bias", {{"17", 1000}}}}, {"--stop-ids", "17", "--logit-bias", "17=1000"}},
      {{{"ignore_eos", true}, {"logit_bias", {{"0", 1000}}}}, {"--ignore-eos", "--logit-bias", "0=1000"}},
      {{{"num_beams", 3}}, {"--num-beams", "3"}},
      {{{"num_beams", 3}, {"length_penalty", -2.5}, {"early_stopping", true}, {"stop_ids", {13}}},
       {"--num-beams", "3", "--length-penalty", "-2.5", "--early-stopping", "yes", "--stop-ids", "13"}},
      {{{"best_of", 4}}, {"--best-of", "4"}},
      {{{"echo", true}}, {"--echo"}},
      {{{"grammar", "root ::= \"ab\"+"}}, {"--regex", "(ab)+"}},
      {{{"regex", "[0-9]+"}}, {"--regex", "[0-9]+"}},
      {{{"json_schema", {{"type", "boolean"}}}}, {"--json-schema", "{\"type\": \"boolean\"}"}},
      {{{"json_object", true}}, {"--json-object"}},
  };
  std::vector<json> lines;
  for (const auto& [keys, flags] : cases) {
    json made = line(keys);
    if (!made.contains("seed")) made["seed"] = 0;
    lines.push_back(made);
  }
  const std::vector<json> found = answers(lines);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(lines[i].dump());
    Arguments arguments{"generate", "--prompt", "Once", "--json"};
    const Arguments& flags = cases[i].second;
    if (flags.front() != "--max-tokens") arguments.insert(arguments.end(), {"--max-tokens", "6"});
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const json expected = json_of(run(arguments));
    const json& choice = found[i].at("choices").at(0);
    for (const char* key : {"ids", "text", "finish_reason"}) EXPECT_EQ(choice.at(key), expected.at(key)) << key;
    EXPECT_EQ(choice.contains("score"), expected.contains("score"));
    if (!expected.contains("score")) continue;
    EXPECT_NEAR(choice["score"].get<double>(), expected["score"].get<double>(), 1e-9);
  }
}

TEST(BatchKeys, OfTheAnswer) {
  const std::vector<json> found = answers({line({{"n", 3}, {"seed", 4}, {"id", "a"}}),
                                           line({{"seed", 5}}),
                                           line({{"logprobs", 1}, {"prompt_logprobs", 0}}),
                                           {{"prompt_ids", {0, 17}}, {"priority", 3}}});
  ASSERT_EQ(found[0]["choices"].size(), 3u);
  EXPECT_EQ(found[0]["id"], "a");
  EXPECT_EQ(ids(found[0], 1), ids(found[1])) << "sample i takes the seed + i";
  EXPECT_EQ(found[2]["choices"][0]["logprobs"][0]["id"], ids(found[2])[0]);
  EXPECT_TRUE(found[2]["choices"][0]["logprobs"][0]["text"].is_string());
  EXPECT_EQ(found[2]["choices"][0]["logprobs"][0]["top"].size(), 1u);
  EXPECT_TRUE(found[2]["prompt_logprobs"][0].is_null());
  EXPECT_EQ(found[2]["prompt_logprobs"].size(), found[2]["usage"]["prompt_tokens"]);
  EXPECT_EQ(found[2]["prompt_logprobs"][1]["text"], "On");
  EXPECT_EQ(found[3]["usage"]["prompt_tokens"], 2);
}

TEST(BatchKeys, PriorityDecidesWhoGoesFirst) {
  std::string input;
  for (int i = 0; i < 4; ++i) input += line({{"priority", i}, {"ignore_eos", true}}).dump() + "\n";
  const Outcome outcome = run({"batch", "-i", "-", "-o", "-", "-n", "50", "--max-rows", "1"}, input);
  std::istringstream stream(outcome.out);
  std::string last;
  for (std::string text; std::getline(stream, text);) last = text;
  EXPECT_EQ(json::parse(last)["index"], 0) << outcome.out;
}

TEST(BatchKeys, FlagsAreWhatALineLeavesOut) {
  const std::vector<json> by_flags =
      answers({line({}), line({{"n", 1}, {"echo", false}, {"min_tokens", 0}})},
              {"--samples", "2", "--echo", "--logprobs", "0", "--min-tokens", "3", "--stop-ids", "9"});
  EXPECT_EQ(by_flags[0]["choices"].size(), 2u);
  EXPECT_EQ(by_flags[0]["choices"][0]["text"].get<std::string>().rfind("Once", 0), 0u);
  EXPECT_EQ(by_flags[1]["choices"].size(), 1u);
  EXPECT_NE(by_flags[1]["choices"][0]["text"].get<std::string>().rfind("Once", 0), 0u);
  EXPECT_TRUE(by_flags[1]["choices"][0].contains("logprobs"));
  const std::vector<json> beams = answers({line({}), line({{"num_beams", 0}, {"seed", 3}})}, {"--num-beams", "3"});
  EXPECT_EQ(ids(beams[0]), ids(answers({line({{"num_beams", 3}})})[0]));
  EXPECT_EQ(ids(beams[1]), ids(answers({line({{"seed", 3}})})[0])) << "this line draws";
  expect_refused(run({"batch", "-i", "-", "-o", "-", "--num-beams", "2", "--top-k", "3"}), 2,
                 {"--num-beams", "--top-k"});
  expect_refused(run({"batch", "-i", "-", "-o", "-", "--samples", "9", "--max-rows", "8"}), 2,
                 {"--max-rows", "9", "8"});
  expect_refused(run({"batch", "-i", "-", "-o", "-", "--draft", "ngram"}), 2, {"a flag of batch", "--draft"});
}

TEST(BatchKeys, TheModelsOwnEndComesBackWithIgnoreEosFalse) {
  const json always = {{"0", 1000}};
  const std::vector<json> found = answers(
      {line({{"logit_bias", always}}), line({{"logit_bias", always}, {"ignore_eos", false}})}, {"--ignore-eos"});
  EXPECT_EQ(ids(found[0]).size(), 6u);
  EXPECT_EQ(ids(found[1]).size(), 1u);
}

TEST(BatchKeys, TheirWrongFormsAreNamed) {
  const std::vector<std::pair<json, std::vector<std::string>>> cases = {
      {{{"max_tokens", "6"}}, {"max_tokens", "an integer", "\"6\""}},
      {{{"max_tokens", -2}}, {"max_tokens >= -1", "-2"}},
      {{{"min_tokens", 1.5}}, {"min_tokens", "an integer"}},
      {{{"min_tokens", -1}}, {"min_tokens >= 0"}},
      {{{"min_tokens", 7}}, {"min_tokens", "at most the 6 of max_tokens", "7"}},
      {{{"temperature", "hot"}}, {"temperature", "a number"}},
      {{{"temperature", -1}}, {"temperature"}},
      {{{"top_k", -1}}, {"top_k"}},
      {{{"top_p", 0}}, {"top_p"}},
      {{{"min_p", 2}}, {"min_p"}},
      {{{"repetition_penalty", 0}}, {"repetition_penalty"}},
      {{{"frequency_penalty", nullptr}}, {"frequency_penalty", "a number", "null"}},
      {{{"presence_penalty", json::array()}}, {"presence_penalty", "a number"}},
      {{{"penalty_window", -2}}, {"penalty_window"}},
      {{{"seed", -1}}, {"seed", "in range"}},
      {{{"stop", 3}}, {"stop", "a text or a list of texts"}},
      {{{"stop", ""}}, {"stop"}},
      {{{"stop_ids", 3}}, {"stop_ids", "a list of ids"}},
      {{{"stop_ids", {4096}}}, {"stop_ids", "below 4096", "4096"}},
      {{{"stop_ids", {-1}}}, {"stop_ids", "ids", "-1"}},
      {{{"logit_bias", {{"x", 1}}}}, {"logit_bias", "ids as keys"}},
      {{{"logit_bias", {1}}}, {"logit_bias", "an object"}},
      {{{"ignore_eos", 1}}, {"ignore_eos", "true or false"}},
      {{{"n", 0}}, {"sample"}},
      {{{"n", -1}}, {"n", "in range"}},
      {{{"n", 33}}, {"32"}},
      {{{"best_of", 1}, {"n", 2}}, {"best_of"}},
      {{{"num_beams", 1}, {"n", 2}}, {"beams"}},
      {{{"num_beams", 2}, {"temperature", 1}}, {"temperature", "num_beams"}},
      {{{"num_beams", 2}, {"regex", "a"}}, {"num_beams", "grammar"}},
      {{{"num_beams", 2}, {"length_penalty", "x"}}, {"length_penalty", "a number"}},
      {{{"num_beams", 2}, {"early_stopping", "maybe"}}, {"early_stopping", "never"}},
      {{{"logprobs", -2}}, {"logprobs"}},
      {{{"prompt_logprobs", "all"}}, {"prompt_logprobs", "an integer"}},
      {{{"echo", "yes"}}, {"echo", "true or false"}},
      {{{"priority", 0.5}}, {"priority", "an integer"}},
      {{{"prompt_ids", {1.5}}}, {"prompt_ids", "an integer"}},
      {{{"prompt_ids", {4096}}}, {"4095", "4096"}},
      {{{"messages", json::array()}}, {"messages", "chat template"}},
      {{{"tools", json::array()}}, {"tools", "messages"}},
      {{{"grammar", 1}}, {"grammar", "a text"}},
      {{{"regex", "("}}, {"regex"}},
      {{{"json_schema", "x"}}, {"json_schema", "a schema"}},
      {{{"json_object", 1}}, {"json_object", "true or false"}},
      {{{"regex", "a"}, {"json_object", true}}, {"one of", "several"}},
      {{{"draft", "ngram"}}, {"known keys", "\"draft\""}},
  };
  std::vector<json> lines;
  for (const auto& [keys, says] : cases) lines.push_back(line(keys));
  const std::vector<json> found = answers(lines, {}, 2);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(lines[i].dump());
    ASSERT_TRUE(found[i].contains("error")) << found[i];
    const std::string error = found[i]["error"];
    for (const std::string& part : cases[i].second) EXPECT_NE(error.find(part), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
  }
}

TEST(BatchKeys, TalksShareTheirFirstMessages) {
  const ScratchDirectory scratch;
  std::ofstream(scratch / "talk.jinja") << "{{ bos_token }}{% for m in messages %}{{ m.role | upper }}.\n"
                                           "{{ m.content }}\n\n{% endfor %}";
  const auto talk = [](const char* last) {
    return json{{"messages",
                 {{{"role", "system"}, {"content", "A play of many words."}}, {{"role", "user"}, {"content", last}}}}};
  };
  const Arguments flags{"--chat-template", (scratch / "talk.jinja").string(), "--state-cache",
                        (scratch / "states").string()};
  EXPECT_EQ(answers({talk("Good morrow.")}, flags)[0]["usage"]["cached_tokens"], 0);
  const json usage = answers({talk("Whither?")}, flags)[0]["usage"];
  EXPECT_GT(usage["cached_tokens"], 5);
  EXPECT_LT(usage["cached_tokens"], usage["prompt_tokens"]);
  Arguments without = flags;
  without.push_back("--no-prefix-cache");
  EXPECT_EQ(answers({talk("Wherefore?")}, without)[0]["usage"]["cached_tokens"], 0);
}

}  // namespace
}  // namespace xlstm::cli_test
