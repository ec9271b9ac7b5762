// What jinja2 renders, written by tests/data/jinja/make_expected.py, case by case; its errors have to be errors here.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "tests/unit/text/jinja/clock.h"
#include "xlstm/base/error.h"
#include "xlstm/text/jinja/template.h"

namespace xlstm::text::jinja {
namespace {

using nlohmann::ordered_json;
const std::filesystem::path kFolder = std::filesystem::path(XLSTM_SOURCE_DIR) / "tests/data/jinja";

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(file) << path;
  return text.str();
}

ordered_json conversation(const ordered_json& conversations, const ordered_json& tools, const std::string& name) {
  ordered_json variables = {{"tools", nullptr}, {"documents", nullptr}, {"bos_token", "<s>"}, {"eos_token", "</s>"}};
  for (const auto& [key, value] : conversations.at(name).items()) variables[key] = value == "TOOLS" ? tools : value;
  return variables;
}

// The output, or nothing after an error. The error has to name a place in the template.
std::optional<std::string> render(const std::string& source, const ordered_json& variables) {
  try {
    return Template::parse(source).render(variables, tests::friday());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
    EXPECT_EQ(std::string(error.what()).rfind("[chat template] line ", 0), 0U) << error.what();
    return std::nullopt;
  }
}

/// The cases of `file`, of templates in `templates`, by whether there is an output.
std::map<bool, int> check_cases(const std::filesystem::path& file, const std::filesystem::path& templates) {
  const ordered_json conversations = ordered_json::parse(read(kFolder / "conversations.json"));
  const ordered_json tools = ordered_json::parse(read(kFolder / "tools.json"));
  const ordered_json plain_variables = ordered_json::parse(read(kFolder / "variables.json"));
  std::stringstream lines(read(file));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(ordered_json::parse(line).at("jinja2"), "3.1.6");

  std::map<bool, int> cases;
  while (std::getline(lines, line)) {
    const ordered_json expected = ordered_json::parse(line);
    const bool is_file = expected.contains("template");
    const std::string source =
        is_file ? read(templates / expected["template"].get<std::string>()) : expected["source"].get<std::string>();
    const ordered_json variables =
        is_file ? conversation(conversations, tools, expected["conversation"].get<std::string>()) : plain_variables;
    const std::optional<std::string> output = render(source, variables);
    ++cases[expected.contains("output")];
    if (expected.contains("output")) {
      EXPECT_EQ(output, expected["output"].get<std::string>()) << line;
    } else {
      EXPECT_EQ(output, std::nullopt) << line;
    }
  }
  return cases;
}

TEST(Expected, EveryCaseIsAsJinja2HasIt) {
  std::map<bool, int> cases = check_cases(kFolder / "expected.jsonl", kFolder / "templates");
  EXPECT_EQ(cases[true], 1402);
  EXPECT_EQ(cases[false], 1079);
}

// Published templates are not ours to ship: a folder of them, with the expected.jsonl that make_expected.py writes
// there.
TEST(Expected, TemplatesOfAnotherFolderAsWell) {
  const char* folder = std::getenv("XLSTM_JINJA_TEMPLATES");
  if (folder == nullptr) GTEST_SKIP() << "XLSTM_JINJA_TEMPLATES names no folder";
  std::map<bool, int> cases = check_cases(std::filesystem::path(folder) / "expected.jsonl", folder);
  EXPECT_GT(cases[true], 0);
}

}  // namespace
}  // namespace xlstm::text::jinja
