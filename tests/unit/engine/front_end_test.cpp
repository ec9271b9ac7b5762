#include "xlstm/engine/front_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "xlstm/base/error.h"
#include "xlstm/base/log.h"

namespace xlstm::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::filesystem::path kBard = std::filesystem::path(XLSTM_SOURCE_DIR) / "models/bard-8m";

std::unique_ptr<checkpoint::FileSource> files_of(const std::map<std::string, std::string>& texts) {
  std::map<std::string, checkpoint::Bytes> files;
  for (const auto& [name, text] : texts) {
    const auto kept = std::make_shared<const std::string>(text);
    files[name] = {std::as_bytes(std::span(*kept)), kept};
  }
  return checkpoint::make_memory_source(std::move(files), "test");
}

class FrontEnd : public testing::Test {
 protected:
  std::vector<TokenId> stop_ids(const std::string& tokenizer_config) const {
    return default_stop_ids(*files_of({{"tokenizer_config.json", tokenizer_config}}), *bard_, config_);
  }

  std::unique_ptr<tokenizer::Tokenizer> bard_ = tokenizer::load_tokenizer(kBard / "tokenizer.json");
  std::unique_ptr<tokenizer::Tokenizer> bytes_ = tokenizer::make_byte_tokenizer();
  config::ModelConfig config_ = [] {
    config::ModelConfig config;
    config.layout = "huggingface";
    config.vocab_size = 300;
    config.bos_token_id = 0;
    config.eos_token_ids = {2};
    return config;
  }();
};

TEST_F(FrontEnd, ADirectoryWithoutATokenizerHasBytesAndSaysSo) {
  std::string notes;
  set_log_sink([&](LogLevel, const std::string& note) { notes += note; });
  const auto tokenizer = read_tokenizer(*files_of({}));
  set_log_sink({});
  EXPECT_EQ(tokenizer->kind(), "bytes");
  EXPECT_EQ(notes, "test has no tokenizer.json: ids are bytes");
}

TEST_F(FrontEnd, ADirectoryWithATokenizerUsesIt) {
  const auto tokenizer = read_tokenizer(*checkpoint::open_directory(kBard));
  EXPECT_EQ(tokenizer->kind(), "byte-level BPE");
  EXPECT_EQ(tokenizer->vocab_size(), 4096u);
}

TEST_F(FrontEnd, ADamagedTokenizerIsNotReplacedByBytes) {
  EXPECT_THROW(read_tokenizer(*files_of({{"tokenizer.json", "{"}})), Error);
}

TEST_F(FrontEnd, TheTokenizersOwnEndOfTextEndsATextNotTheConfigsEos) {
  EXPECT_THAT(stop_ids(R"({"eos_token": "<|endoftext|>"})"), ElementsAre(0));
  EXPECT_THAT(stop_ids(R"({"eos_token": {"content": "<|padding|>", "special": true}})"), ElementsAre(1));
}

TEST_F(FrontEnd, WithoutANamedEosEndOfTextIsLookedFor) {
  EXPECT_THAT(default_stop_ids(*files_of({}), *bard_, config_), ElementsAre(0));
  EXPECT_THAT(stop_ids("{}"), ElementsAre(0));
  EXPECT_THAT(stop_ids(R"({"eos_token": null})"), ElementsAre(0));
  EXPECT_THAT(stop_ids(R"({"eos_token": ""})"), ElementsAre(0));
  EXPECT_THAT(stop_ids(R"({"eos_token": "<no such token>"})"), ElementsAre(0));
}

TEST_F(FrontEnd, OtherwiseTheConfigsEosIdsWithinTheVocabulary) {
  config_.eos_token_ids = {2, 300, -1, 299};
  EXPECT_THAT(default_stop_ids(*files_of({}), *bytes_, config_), ElementsAre(2, 299));
  EXPECT_THAT(config_stop_ids(config_), ElementsAre(2, 299));
  config_.eos_token_ids.clear();
  EXPECT_THAT(default_stop_ids(*files_of({}), *bytes_, config_), IsEmpty());
}

TEST_F(FrontEnd, ADamagedTokenizerConfigIsRefused) {
  for (const char* text : {"", "{", "[]", "\"<|endoftext|>\""}) {
    try {
      stop_ids(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt_file);
      EXPECT_THAT(error.what(), testing::HasSubstr("tokenizer_config.json"));
    }
  }
}

TEST_F(FrontEnd, BosGoesBeforeAFreshTextOnceAndOnlyWhenAskedFor) {
  const std::vector<TokenId> plain = bard_->encode("To be");
  std::vector<TokenId> with_bos = plain;
  with_bos.insert(with_bos.begin(), 0);
  EXPECT_EQ(encode_prompt("To be", true, *bard_, config_), with_bos);
  EXPECT_EQ(encode_prompt("<|endoftext|>To be", true, *bard_, config_), with_bos);
  EXPECT_EQ(encode_prompt("To be", false, *bard_, config_), plain);
  EXPECT_THAT(encode_prompt("", true, *bard_, config_), ElementsAre(0));
}

TEST_F(FrontEnd, NoBosWhereTheModelWantsNone) {
  config_.force_bos_token_insert = false;
  EXPECT_THAT(encode_prompt("a", true, *bytes_, config_), ElementsAre('a'));
  config_.force_bos_token_insert = true;
  config_.layout = "research";
  EXPECT_THAT(encode_prompt("a", true, *bytes_, config_), ElementsAre('a'));
  config_.layout = "package";
  config_.bos_token_id.reset();
  EXPECT_THAT(encode_prompt("a", true, *bytes_, config_), ElementsAre('a'));
}

TEST_F(FrontEnd, AChatTemplateOfItsOwnFileGoesFirstAndSeesTheSpecialTokens) {
  const std::string config = R"({"bos_token": "<s>", "chat_template": "of the config"})";
  text::ChatRequest request;
  request.messages = {{{"role", "user"}, {"content", "hi"}}};
  const auto rendered = [&](const std::map<std::string, std::string>& files) {
    return parse_chat_template(read_chat_files(*files_of(files))).value().render(request);
  };
  EXPECT_EQ(rendered({{"tokenizer_config.json", config}}), "of the config");
  EXPECT_EQ(rendered({{"tokenizer_config.json", config},
                      {"chat_template.jinja", "{{ bos_token }}{{ messages[0].content }}"}}),
            "<s>hi");
  EXPECT_EQ(rendered({{"chat_template.jinja", "alone"}}), "alone");
}

TEST_F(FrontEnd, ModelsWithoutAChatTemplateHaveNone) {
  EXPECT_FALSE(parse_chat_template(read_chat_files(*files_of({}))));
  EXPECT_FALSE(parse_chat_template(read_chat_files(*checkpoint::open_directory(kBard))));
}

TEST_F(FrontEnd, AChatTemplateIsParsedWhenItIsAskedFor) {
  const ChatFiles files = read_chat_files(*files_of({{"chat_template.jinja", "{% for %}"}}));
  EXPECT_THROW(parse_chat_template(files), Error);
}

}  // namespace
}  // namespace xlstm::engine
