// xlstm embed as a process.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

using nlohmann::json;

std::vector<json> embed(const Arguments& more, const std::string& input = "") {
  Arguments arguments{"embed"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = run(arguments, input);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  std::vector<json> lines;
  std::istringstream stream(outcome.out);
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

double length(const json& vector) {
  double sum = 0;
  for (const json& x : vector) sum += x.get<double>() * x.get<double>();
  return std::sqrt(sum);
}

TEST(Embed, TheSameTextHasTheSameVectorHoweverItIsGiven) {
  const json alone = embed({"--text", "To be"}).at(0);
  EXPECT_EQ(alone["index"], 0);
  EXPECT_EQ(alone["tokens"], 3) << "with the BOS";
  EXPECT_EQ(alone["embedding"].size(), json_of(run({"info", "--json"}))["embedding_dim"]);
  const std::string ids = json_of(run({"tokenize"}, "\"To be\"\n")).dump();  // without a BOS
  const ScratchDirectory scratch;
  std::string input = "{\"text\": \"Or not\", \"id\": \"a\"}\n\n{\"text\": \"To be\"}\n";
  input += "{\"ids\": [0, " + ids.substr(1) + "}\n";
  std::ofstream(scratch / "texts.jsonl") << input;
  for (const std::vector<json>& lines :
       {embed({"--input", "-"}, input), embed({"-i", (scratch / "texts.jsonl").string()})}) {
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[0]["id"], "a");
    EXPECT_FALSE(lines[1].contains("id"));
    EXPECT_EQ(lines[1]["embedding"], alone["embedding"]);
    EXPECT_EQ(lines[2]["index"], 2);
    EXPECT_NE(lines[0]["embedding"], alone["embedding"]);
  }
}

TEST(Embed, PoolingAndLength) {
  const json mean = embed({"--text", "To be, or not"}).at(0)["embedding"];
  const json last = embed({"--text", "To be, or not", "--pooling", "last"}).at(0)["embedding"];
  EXPECT_NE(mean, last);
  EXPECT_EQ(embed({"--text", "To be, or not", "--pooling", "mean"}).at(0)["embedding"], mean);
  EXPECT_GT(std::abs(length(mean) - 1), 1e-3);
  const json unit = embed({"--text", "To be, or not", "--normalize"}).at(0)["embedding"];
  EXPECT_NEAR(length(unit), 1, 1e-5);
  for (std::size_t i = 0; i < unit.size(); ++i) {
    EXPECT_NEAR(unit[i].get<double>() * length(mean), mean[i].get<double>(), 1e-4);
  }
}

TEST(Embed, WrongInputIsRefusedInOneLine) {
  expect_refused(run({"embed"}), 2, {"--text", "--input"});
  expect_refused(run({"embed", "--text", "a", "--input", "-"}), 2, {"--text", "--input"});
  expect_refused(run({"embed", "--text", "a", "--pooling", "max"}), 2, {"--pooling", "mean, last", "'max'"});
  expect_refused(run({"embed", "--input", "no/such/file"}), 3, {"no/such/file"});
  expect_refused(run({"embed", "--input", "."}), 3, {"a file of texts"});
  expect_refused(run({"embed", "--text", "a", "--backend", "mlx"}), 2, {"mlx"});
  expect_refused(run({"embed", "--text", "", "--model", bytes_mixed()}), 2, {"token"});
  for (const auto& [line, says] :
       std::vector<std::pair<std::string, std::string>>{{"not json", "a JSON object"},
                                                        {"[]", "a JSON object"},
                                                        {"{}", "one of"},
                                                        {R"({"text": "a", "ids": [1]})", "one of"},
                                                        {R"({"text": 1})", "one of"},
                                                        {R"({"text": "a", "txet": 1})", "\"txet\""},
                                                        {R"({"ids": [1.5]})", "ids"},
                                                        {R"({"ids": [4096]})", "4096"},
                                                        {R"({"ids": []})", "token"}}) {
    SCOPED_TRACE(line);
    expect_refused(run({"embed", "--input", "-"}, line + "\n"), 2, {says});
  }
}

}  // namespace
}  // namespace xlstm::cli_test
