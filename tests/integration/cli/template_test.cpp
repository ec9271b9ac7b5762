// Messages and chat templates at the command line: template, generate --messages, chat, batch.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/integration/cli/process.h"

namespace xlstm::cli_test {
namespace {

constexpr const char* kTemplate =
    "{{ bos_token }}{% for m in messages %}{% if m.role not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('no such role: ' + m.role) }}{% endif %}{{ m.role | upper }}.\n{{ m.content | trim }}\n\n"
    "{% endfor %}{% if tools %}TOOLS {{ tools | tojson }}\n\n{% endif %}{% if add_generation_prompt %}ASSISTANT.\n"
    "{% endif %}";

class Template : public testing::Test {
 protected:
  void SetUp() override {
    write("talk.jinja", kTemplate);
    write("talk.json", R"([{"role": "system", "content": "A play."}, {"role": "user", "content": "Good morrow."}])");
    write("tools.json", R"([{"name": "f"}])");
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(scratch_ / name) << text; }
  std::string path(const std::string& name) const { return (scratch_ / name).string(); }
  /// The arguments with the template, greedy.
  Arguments with(Arguments arguments) const {
    if (arguments[0] != "template") {
      for (const char* more : {"--temperature", "0", "--max-tokens", "12", "--ignore-eos"}) arguments.push_back(more);
    }
    arguments.insert(arguments.end(), {"--chat-template", path("talk.jinja")});
    return arguments;
  }
  std::string text_of(const Arguments& arguments, const std::string& input = "") const {
    const Outcome outcome = run(arguments, input);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }

  ScratchDirectory scratch_;
};

constexpr const char* kRendered = "<|endoftext|>SYSTEM.\nA play.\n\nUSER.\nGood morrow.\n\n";

TEST_F(Template, PrintsTheRenderedPromptByteForByte) {
  const Arguments arguments = with({"template", "--messages", path("talk.json")});
  EXPECT_EQ(text_of(arguments), std::string(kRendered) + "ASSISTANT.\n");
  Arguments bare = arguments;
  bare.push_back("--no-generation-prompt");
  EXPECT_EQ(text_of(bare), kRendered);
  Arguments tools = bare;
  tools.insert(tools.end(), {"--tools", path("tools.json")});
  EXPECT_EQ(text_of(tools), std::string(kRendered) + "TOOLS [{\"name\": \"f\"}]\n\n");
}

TEST_F(Template, SpecialTokensAreParsedAndTheBosIsNotDoubled) {
  Arguments arguments = with({"template", "--messages", path("talk.json"), "--ids"});
  const std::string ids = text_of(arguments);
  EXPECT_TRUE(ids.starts_with("0,")) << ids;
  EXPECT_FALSE(ids.starts_with("0,0,")) << ids;
  write("talk.jinja", std::string(kTemplate).substr(std::string("{{ bos_token }}").size()));
  EXPECT_EQ(text_of(arguments), ids) << "the model wants a BOS, whether the template writes it or not";
}

TEST_F(Template, GenerateReadsWhatTemplatePrints) {
  const std::string ids = text_of(with({"template", "--messages", path("talk.json"), "--ids"}));
  const std::string expected = text_of(with({"generate", "--prompt-ids", ids.substr(0, ids.size() - 1)}));
  EXPECT_EQ(text_of(with({"generate", "--messages", path("talk.json")})), expected);
}

TEST_F(Template, AModelsOwnTemplateIsFoundBesideIt) {
  const std::filesystem::path model = scratch_ / "model";
  std::filesystem::create_directory(model);
  for (const auto& file : std::filesystem::directory_iterator(bard())) {
    std::filesystem::create_symlink(std::filesystem::absolute(file.path()), model / file.path().filename());
  }
  std::ofstream(model / "chat_template.jinja") << kTemplate;
  const Arguments arguments{"template", "--messages", path("talk.json"), "--model", model.string()};
  EXPECT_EQ(text_of(arguments), text_of(with({"template", "--messages", path("talk.json")})));
  const Arguments chat{"chat", "--model", model.string(), "--temperature", "0", "--max-tokens", "12"};
  const std::string plain = text_of({"chat", "--temperature", "0", "--max-tokens", "12"}, "To be\n");
  EXPECT_NE(text_of(chat, "To be\n"), plain);
  Arguments without = chat;
  without.push_back("--no-chat-template");
  EXPECT_EQ(text_of(without, "To be\n"), plain);
}

TEST_F(Template, AStateThatHasReadABeginningIsGoneOnWith) {
  const std::string expected = text_of(with({"generate", "--messages", path("talk.json")}));
  write("begun.json", R"([{"role": "system", "content": "A play."}])");
  for (const Arguments& beginning :
       {Arguments{"begun.json", "--no-generation-prompt"}, Arguments{"talk.json"}}) {  // the last has read it all
    Arguments arguments = with({"template", "--messages", path(beginning[0]), "--ids"});
    arguments.insert(arguments.end(), beginning.begin() + 1, beginning.end());
    const std::string ids = text_of(arguments);
    text_of({"state", "save", "--prompt-ids", ids.substr(0, ids.size() - 1), "--output", path("s")});
    EXPECT_EQ(text_of(with({"generate", "--messages", path("talk.json"), "--state", path("s")})), expected);
  }
  write("other.json", R"([{"role": "user", "content": "Good night."}])");
  expect_refused(run(with({"generate", "--messages", path("other.json"), "--state", path("s")})), 2,
                 {"--messages", "tokens of the state"});
}

TEST_F(Template, AChatsFirstAnswerIsThatToItsMessages) {
  const std::string expected = text_of(with({"generate", "--messages", path("talk.json")}));
  EXPECT_EQ(text_of(with({"chat", "--system", "A play."}), "Good morrow.\n"), expected);
}

TEST_F(Template, ALaterTurnAnswersAllMessages) {
  // given the first answer, the second is that to the whole list
  const std::string first = text_of(with({"chat"}), "Good morrow.\n");
  const auto answer = json_of(
      run(with({"generate", "--json", "--prompt", "<|endoftext|>USER.\nGood morrow.\n\nASSISTANT.\n"})))["text"];
  const nlohmann::json messages = {{{"role", "user"}, {"content", "Good morrow."}},
                                   {{"role", "assistant"}, {"content", answer}},
                                   {{"role", "user"}, {"content", "And then?"}}};
  write("later.json", messages.dump());
  const std::string both = text_of(with({"chat"}), "Good morrow.\nAnd then?\n");
  EXPECT_EQ(both, first + text_of(with({"generate", "--messages", path("later.json")})));
  EXPECT_EQ(text_of(with({"chat"}), "Good morrow.\nWhat?\n/undo\nAnd then?\n").substr(0, first.size()), first);
}

TEST_F(Template, ATurnReadsOnlyItsNewTokensUnlessTheTemplateTellsTheAnswerInAnotherWay) {
  const std::string script = "Good morrow.\nAnd then?\n";
  // given a template that tells an answer as it was said, nothing is read again
  write("talk.jinja", "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}");
  Outcome outcome = run(with({"chat", "--regex", "[b-z]"}), script);  // one token: there is one way to say it
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.find("read again"), std::string::npos) << outcome.err;
  // given one that does not, the answer is
  write("talk.jinja", "{{ bos_token }}{% for m in messages %}{{ m.content | upper }}{% endfor %}");
  outcome = run(with({"chat", "--regex", "[b-z]"}), script);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("1 tokens were read again"), std::string::npos) << outcome.err;
}

TEST_F(Template, ASavedChatGoesOnWithItsMessages) {
  const std::string whole = text_of(with({"chat"}), "Good morrow.\n/save " + path("s") + "\nAnd then?\n");
  const std::string first = text_of(with({"chat"}), "Good morrow.\n");
  EXPECT_EQ(first + text_of(with({"chat"}), "/load " + path("s") + "\nAnd then?\n"), whole);
  std::filesystem::remove(path("s.messages.json"));
  expect_refused(run(with({"chat"}), "/load " + path("s") + "\n"), 3, {"s.messages.json"});
}

TEST_F(Template, BatchLinesMayHaveMessages) {
  const std::string messages =
      R"([{"role": "system", "content": "A play."}, {"role": "user", "content": "Good morrow."}])";
  const std::string line = R"({"messages": )" + messages + "}\n";
  const Outcome outcome = run(with({"batch", "--input", "-", "--output", "-"}), line);
  const auto answer = json_of(run(with({"generate", "--json", "--messages", path("talk.json")})));
  EXPECT_EQ(json_of(outcome)["choices"][0]["ids"], answer["ids"]);
  const Outcome wrong =
      run(with({"batch", "--input", "-", "--output", "-"}), R"({"messages": [{"role": "fool", "content": ""}]})"
                                                            "\n");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(json_of(wrong)["error"].get<std::string>().find("no such role: fool"), std::string::npos);
  EXPECT_EQ(run({"batch", "--input", "-", "--output", "-"}, line).exit_code, 2) << "no template";
}

TEST_F(Template, FaultsAreOneLine) {
  const std::string talk = path("talk.json");
  expect_refused(run({"template", "--messages", talk}), 2, {"--messages", "chat template", "embedded"});
  expect_refused(run({"template"}), 2, {"--messages"});
  expect_refused(run({"chat", "--system", "x"}), 2, {"--system", "chat template"});
  expect_refused(run({"chat", "--system", "x", "--no-chat-template"}), 2, {"--no-chat-template"});
  expect_refused(run({"generate", "--messages", talk, "--prompt", "x"}), 2, {"--messages", "--prompt"});
  expect_refused(run({"generate", "--prompt", "x", "--tools", talk}), 2, {"--tools", "--messages"});
  expect_refused(run(with({"template", "--messages", path("none.json")})), 3, {"none.json"});
  write("bad.json", "[{]");
  expect_refused(run(with({"template", "--messages", path("bad.json")})), 2, {"bad.json", "byte 3"});
  write("bad.json", "{}");
  expect_refused(run(with({"template", "--messages", path("bad.json")})), 2, {"bad.json", "a JSON list"});
  write("bad.json", "[]");
  expect_refused(run(with({"template", "--messages", path("bad.json")})), 2, {"at least one message"});
  write("talk.jinja", "{{ bos_token }}\n{% for %}");
  expect_refused(run(with({"template", "--messages", talk})), 2, {"line 2"});
  EXPECT_EQ(run(with({"generate", "--prompt", "x"})).exit_code, 0) << "a template that nobody asks for";
}

}  // namespace
}  // namespace xlstm::cli_test
