// xlstm generate: several texts, beams, log-probabilities, echo, the ends of a text; and what goes together.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <fstream>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

using nlohmann::json;

Arguments once(const Arguments& more) {
  Arguments arguments{"generate", "--prompt", "Once", "--max-tokens", "8"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

Outcome good(const Arguments& more) {
  Outcome outcome = run(once(more));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome;
}

json good_json(Arguments more) {
  more.push_back("--json");
  return json_of(good(more));
}

TEST(Samples, EachIsTheTextOfItsSeed) {
  const json samples = good_json({"--samples", "3", "--seed", "5"});
  ASSERT_EQ(samples.size(), 3u);
  std::string printed;
  for (int i = 0; i < 3; ++i) {
    SCOPED_TRACE(i);
    const std::string seed = std::to_string(5 + i);
    const json alone = good_json({"--seed", seed});
    EXPECT_EQ(samples[i]["ids"], alone["ids"]);
    EXPECT_EQ(samples[i]["text"], alone["text"]);
    EXPECT_EQ(samples[i]["seed"], 5 + i);
    EXPECT_FALSE(samples[i].contains("score"));
    printed += "--- " + std::to_string(i + 1) + " of 3, seed " + seed + " ---\n" + good({"--seed", seed}).out;
  }
  EXPECT_EQ(good({"--samples", "3", "--seed", "5"}).out, printed);
  EXPECT_TRUE(good_json({"--samples", "1"}).is_array()) << "a list also of one";
}

TEST(Samples, AsIdsTheyAreALineEach) {
  const json samples = good_json({"--samples", "2"});
  const auto line = [](const json& sample) {
    const std::string ids = sample["ids"].dump();
    return ids.substr(1, ids.size() - 2) + "\n";
  };
  EXPECT_EQ(good({"--samples", "2", "--ids"}).out, line(samples[0]) + line(samples[1]));
}

TEST(Samples, BestOfKeepsThoseOfTheLargestMeanLogProbability) {
  const json drawn = good_json({"--samples", "6", "--logprobs", "0"});
  std::vector<std::pair<double, json>> ranked;
  for (const json& sample : drawn) {
    double sum = 0;
    for (const json& token : sample["logprobs"]) sum += token["logprob"].get<double>();
    ranked.emplace_back(-sum / static_cast<double>(sample["ids"].size()), sample["ids"]);
  }
  std::sort(ranked.begin(), ranked.end());
  const json best = good_json({"--samples", "2", "--best-of", "6"});
  ASSERT_EQ(best.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(best[i]["ids"], ranked[i].second);
    EXPECT_NEAR(best[i]["score"].get<double>(), -ranked[i].first, 1e-9);
  }
  EXPECT_EQ(good_json({"--best-of", "6"})["ids"], ranked[0].second) << "one object without --samples";
}

TEST(Samples, TheyGoOnFromAState) {
  const ScratchDirectory scratch;
  const std::string state = (scratch / "s").string();
  ASSERT_EQ(
      run({"generate", "--prompt", "In the beginning", "-n", "3", "--seed", "7", "--save-state", state}).exit_code, 0);
  for (const Arguments& more : {Arguments{}, Arguments{"--seed", "3"}, Arguments{"--prompt", " God"}}) {
    SCOPED_TRACE(more.empty() ? "" : more[0]);
    Arguments arguments{"generate", "--state", state, "--max-tokens", "8", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const json alone = json_of(run(arguments));
    arguments.insert(arguments.end(), {"--samples", "2"});
    const json samples = json_of(run(arguments));
    for (const char* key : {"ids", "seed", "cached_tokens"}) EXPECT_EQ(samples.at(0)[key], alone[key]) << key;
    EXPECT_NE(samples.at(1)["ids"], alone["ids"]);
  }
}

TEST(Samples, CtrlCStopsAllOfThem) {
  Process process({"--verbose", "generate", "--prompt", "x", "--ignore-eos", "-n", "-1", "--samples", "3", "--json"});
  ASSERT_TRUE(process.wait_for_error("Ctrl-C stops"));
  process.send_signal(SIGINT);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 130);
  for (const json& sample : json_of(outcome)) EXPECT_EQ(sample["finish_reason"], "cancelled");
}

double sum_of(const json& text) {
  double sum = 0;
  for (const json& token : text["logprobs"]) sum += token["logprob"].get<double>();
  return sum;
}

TEST(Beams, FindMoreProbableTextsThanGreedy) {
  const json greedy = good_json({"--temperature", "0", "--logprobs", "0"});
  const json one = good_json({"--num-beams", "1"});
  EXPECT_EQ(one["ids"], greedy["ids"]);
  const json found = good_json({"--num-beams", "4", "--samples", "2", "--logprobs", "0"});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_GE(sum_of(found[0]), sum_of(greedy));
  EXPECT_GE(found[0]["score"], found[1]["score"]);
  EXPECT_NEAR(found[0]["score"].get<double>(), sum_of(found[0]) / 8, 1e-9);
  EXPECT_FALSE(found[0].contains("seed")) << "nothing is drawn";
  EXPECT_NEAR(good_json({"--num-beams", "4", "--length-penalty", "0"})["score"].get<double>(),
              sum_of(good_json({"--num-beams", "4", "--length-penalty", "0", "--logprobs", "0"})), 1e-9);
}

TEST(Beams, EarlyStoppingEndsTheSearchAsSoonAsThereAreEnoughTexts) {
  // given a stop id that is never unlikely
  const Arguments ends{"--num-beams", "2", "--samples", "2", "--stop-ids", "13", "--length-penalty", "3"};
  const auto longest = [&](const char* when) {
    Arguments arguments{"generate", "--prompt", "Once", "--json", "--max-tokens", "40", "--early-stopping", when};
    arguments.insert(arguments.end(), ends.begin(), ends.end());
    std::size_t length = 0;
    for (const json& text : json_of(run(arguments))) length = std::max(length, text["ids"].size());
    return length;
  };
  EXPECT_LT(longest("yes"), longest("never"));
  EXPECT_LE(longest("yes"), longest("no"));
}

TEST(LogProbs, AreThoseOfEveryTokenWithTheMostProbable) {
  const json result = good_json({"--temperature", "0", "--logprobs", "3"});
  ASSERT_EQ(result["logprobs"].size(), result["ids"].size());
  std::string text;
  for (std::size_t i = 0; i < result["ids"].size(); ++i) {
    const json& token = result["logprobs"][i];
    EXPECT_EQ(token["id"], result["ids"][i]);
    text += token["text"];
    ASSERT_EQ(token["top"].size(), 3u);
    EXPECT_EQ(token["top"][0]["id"], token["id"]) << "greedy";
    EXPECT_EQ(token["top"][0]["logprob"], token["logprob"]);
    EXPECT_EQ(token["top"][0]["text"], token["text"]);
    EXPECT_GE(token["top"][1]["logprob"], token["top"][2]["logprob"]);
  }
  EXPECT_EQ(text, result["text"]);
  EXPECT_TRUE(good_json({"--logprobs", "0"})["logprobs"][0]["top"].empty());
  EXPECT_FALSE(good_json({}).contains("logprobs"));
}

TEST(LogProbs, OfThePromptAddUpToItsPerplexity) {
  const ScratchDirectory scratch;
  const std::string text = "In the beginning God created the heaven and the earth.";
  std::ofstream(scratch / "text") << text;
  const json score = json_of(run({"perplexity", "--file", (scratch / "text").string(), "--json"}));
  const json result =
      json_of(run({"generate", "--prompt", text, "--prompt-logprobs", "1", "--max-tokens", "0", "--json"}));
  EXPECT_EQ(result["ids"], json::array());
  const json& tokens = result["prompt_logprobs"];
  EXPECT_TRUE(tokens[0].is_null()) << "nothing comes before the first id";
  double sum = 0;
  std::string read;
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    sum += tokens[i]["logprob"].get<double>();
    read += tokens[i]["text"];
    EXPECT_LE(tokens[i]["logprob"], tokens[i]["top"][0]["logprob"]);
  }
  EXPECT_EQ(read, text);
  EXPECT_NEAR(std::exp(-sum / static_cast<double>(tokens.size() - 1)), score["perplexity"].get<double>(), 1e-3);
}

TEST(Length, MinTokensHoldsTheEndBack) {
  const Arguments eos{"--logit-bias", "0=1000"};
  Arguments late = eos;
  late.insert(late.end(), {"--min-tokens", "5"});
  EXPECT_EQ(good_json(eos)["ids"].size(), 1u);
  const json result = good_json(late);
  EXPECT_EQ(result["ids"].size(), 6u);
  EXPECT_EQ(result["finish_reason"], "stop");
}

TEST(Length, StopIdsEndTheTextBesideTheModelsOwn) {
  const json plain = good_json({"--temperature", "0"});
  const std::string third = plain["ids"][2].dump();
  const json stopped = good_json({"--temperature", "0", "--stop-ids", "4000," + third});
  EXPECT_EQ(stopped["finish_reason"], "stop");
  EXPECT_EQ(stopped["ids"].back(), plain["ids"][2]);
  EXPECT_LE(stopped["ids"].size(), 3u);
  EXPECT_EQ(good_json({"--stop-ids", "4000", "--logit-bias", "0=1000"})["ids"], json::array({0}));
  EXPECT_EQ(good_json({"--ignore-eos", "--stop-ids", "17", "--logit-bias", "17=1000"})["ids"], json::array({17}));
}

TEST(Echo, ThePromptComesFirst) {
  EXPECT_EQ(good({"--echo"}).out, "Once" + good({}).out);
  EXPECT_EQ(good_json({"--echo", "--samples", "2"})[1]["text"],
            "Once" + good_json({"--samples", "2"})[1]["text"].get<std::string>());
}

TEST(Together, WhatContradictsIsRefusedByName) {
  struct Case {
    Arguments arguments;
    std::vector<std::string> says;
  };
  const std::vector<Case> cases = {
      {{"--samples", "0"}, {"--samples", "from 1"}},
      {{"--best-of", "2", "--samples", "3"}, {"--best-of", "at least the 3 of --samples", "2"}},
      {{"--num-beams", "2", "--samples", "3"}, {"--num-beams", "at least the 3 of --samples", "2"}},
      {{"--num-beams", "2", "--best-of", "3"}, {"--num-beams", "--best-of"}},
      {{"--num-beams", "2", "--temperature", "1"}, {"--num-beams", "--temperature"}},
      {{"--num-beams", "2", "--top-k", "5"}, {"--num-beams", "--top-k"}},
      {{"--num-beams", "2", "--top-p", "0.5"}, {"--num-beams", "--top-p"}},
      {{"--num-beams", "2", "--min-p", "0.5"}, {"--num-beams", "--min-p"}},
      {{"--num-beams", "2", "--repetition-penalty", "2"}, {"--num-beams", "--repetition-penalty"}},
      {{"--num-beams", "2", "--regex", "a"}, {"--num-beams", "--regex"}},
      {{"--num-beams", "2", "--json-object"}, {"--num-beams", "--json-object"}},
      {{"--length-penalty", "2"}, {"--length-penalty", "--num-beams"}},
      {{"--length-penalty", "nan", "--num-beams", "2"}, {"--length-penalty", "'nan'"}},
      {{"--early-stopping", "yes"}, {"--early-stopping", "--num-beams"}},
      {{"--early-stopping", "maybe", "--num-beams", "2"}, {"--early-stopping", "no, yes, never", "'maybe'"}},
      {{"--num-beams", "2", "--draft", "ngram"}, {"--num-beams", "--draft"}},
      {{"--samples", "2", "--draft", "ngram"}, {"--samples", "--draft"}},
      {{"--best-of", "2", "--save-state", "x"}, {"--best-of", "--save-state"}},
      {{"--samples", "2", "--save-state", "x"}, {"--samples", "--save-state"}},
      {{"--prompt-logprobs", "1", "--save-state", "x", "--json"}, {"--prompt-logprobs", "--save-state"}},
      {{"--logprobs", "1"}, {"--logprobs", "--json"}},
      {{"--prompt-logprobs", "1"}, {"--prompt-logprobs", "--json"}},
      {{"--logprobs", "-1", "--json"}, {"--logprobs", "'-1'"}},
      {{"--echo", "--ids"}, {"--echo", "--ids"}},
      {{"--min-tokens", "9"}, {"--min-tokens", "at most the 8 of --max-tokens", "9"}},
      {{"--min-tokens", "-1"}, {"--min-tokens", "'-1'"}},
      {{"--stop-ids", "1,x"}, {"--stop-ids", "'x'"}},
      {{"--stop-ids", "4096"}, {"--stop-ids", "below 4096"}},
      {{"--stop-ids", ""}, {"--stop-ids", "expected ids"}},
      {{"--draft", ""}, {"--draft", "ngram or a directory"}},
      {{"--draft", "ngram", "--draft-tokens", "0"}, {"--draft-tokens", "from 1", "'0'"}},
      {{"--draft", "ngram", "--draft-tokens", "16"}, {"--draft-tokens", "'16'"}},
      {{"--draft-tokens", "2"}, {"--draft-tokens", "--draft"}},
      {{"--draft", bytes_mixed()}, {"tokenizer of embedded"}},
      {{"--draft", "ngram", "--backend", "mlx"}, {"draft", "expected the backend cpu", "mlx"}},
  };
  for (const auto& [arguments, says] : cases) {
    SCOPED_TRACE(arguments[0] + " " + arguments.back());
    expect_refused(run(once(arguments)), 2, says);
  }
  expect_refused(run(once({"--draft", "no/such/model"})), 3, {"no/such/model"});
  expect_refused(run({"generate", "--prompt", "x", "--num-beams", "2", "-n", "0"}), 2, {"--max-tokens", "--num-beams"});
  expect_refused(run({"generate", "--prompt", "x", "--num-beams", "2", "-n", "-1"}), 2, {"--max-tokens", "-1"});
  expect_refused(run({"generate", "--prompt", "", "--samples", "2", "--model", bytes_mixed()}), 2, {"prompt"});
}

TEST(Together, AStateWithoutAPromptHasNothingToEchoOrScore) {
  const ScratchDirectory scratch;
  const std::string state = (scratch / "s").string();
  ASSERT_EQ(run({"state", "save", "--prompt", "Once", "--output", state}).exit_code, 0);
  expect_refused(run({"generate", "--state", state, "--echo"}), 2, {"--echo", "a prompt"});
  expect_refused(run({"generate", "--state", state, "--prompt-logprobs", "0", "--json"}), 2,
                 {"--prompt-logprobs", "a prompt"});
}

TEST(Drafts, ChangeNothingInAnswers) {
  const std::string script = "To be or not to be\nOr not to be\n/undo\nTo be\n/retry\n/reset\nTo be\n";
  const auto talk = [&](Arguments more) {
    more.insert(more.begin(), {"chat", "--max-tokens", "12", "--ignore-eos"});
    const Outcome outcome = run(more, script);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  };
  const std::string plain = talk({});
  EXPECT_EQ(talk({"--draft", "ngram"}), plain);
  EXPECT_EQ(talk({"--draft", bard(), "--draft-tokens", "2"}), plain);
  const Outcome told = run({"--verbose", "chat", "-n", "12", "--draft", bard(), "--temperature", "0"}, "To be\n");
  EXPECT_NE(told.err.find("guesses right"), std::string::npos) << told.err;
  expect_refused(run({"chat", "--draft-tokens", "2"}), 2, {"--draft-tokens", "--draft"});
  expect_refused(run({"chat", "--draft", bytes_mixed()}), 2, {"tokenizer of embedded"});
}

}  // namespace
}  // namespace xlstm::cli_test
