// Every way a tokenizer.json can be wrong ends in one clear line.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>

#include "tests/unit/tokenizer/tiny_tokenizer.h"
#include "xlstm/base/error.h"

namespace xlstm::tokenizer {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Case {
  const char* name;
  std::function<void(json&)> bend;
  ErrorCode code;
  const char* says;  // part of the message
};

constexpr auto kCorrupt = ErrorCode::corrupt_file;
constexpr auto kUnsupported = ErrorCode::unsupported;

json split(const json& pattern) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", "Isolated"}, {"invert", false}};
}
json sequence(std::initializer_list<json> parts) {
  return {{"type", "Sequence"}, {"pretokenizers", json(json::array_t(parts))}};
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"not an object", [](json& j) { j = 3; }, kCorrupt, "the file: expected a JSON object but got 3"},
      {"no model", [](json& j) { j.erase("model"); }, kCorrupt, "model: expected a value but got none"},
      {"model is text", [](json& j) { j["model"] = "BPE"; }, kCorrupt, "model: expected an object but got \"BPE\""},
      {"other model", [](json& j) { j["model"]["type"] = "WordPiece"; }, kUnsupported, "\"WordPiece\""},
      {"other version", [](json& j) { j["version"] = "2.0"; }, kUnsupported, "version: expected \"1.0\""},
      {"no vocab", [](json& j) { j["model"].erase("vocab"); }, kCorrupt, "model.vocab: expected a value"},
      {"vocab is a list", [](json& j) { j["model"]["vocab"] = json::array(); }, kCorrupt,
       "model.vocab: expected an object"},
      {"id is text", [](json& j) { j["model"]["vocab"]["a"] = "1"; }, kCorrupt, "id of \"a\": expected an integer"},
      {"id is negative", [](json& j) { j["model"]["vocab"]["a"] = -1; }, kCorrupt, "but got -1"},
      {"id is a fraction", [](json& j) { j["model"]["vocab"]["a"] = 1.5; }, kCorrupt, "but got 1.5"},
      {"id is huge", [](json& j) { j["model"]["vocab"]["a"] = 4'000'000'000u; }, kCorrupt, "but got 4000000000"},
      {"id beyond 64 bits", [](json& j) { j["model"]["vocab"]["a"] = 1e30; }, kCorrupt, "expected an integer"},
      {"duplicate id", [](json& j) { j["model"]["vocab"]["a"] = 98; }, kCorrupt, "expected each id once"},
      {"empty token", [](json& j) { j["model"]["vocab"][""] = 262; }, kCorrupt, "expected tokens with text"},
      {"missing byte", [](json& j) { j["model"]["vocab"].erase("a"); }, kUnsupported, "byte 97 (\"a\") has none"},
      {"no merges", [](json& j) { j["model"].erase("merges"); }, kCorrupt, "model.merges: expected a value"},
      {"merges is an object", [](json& j) { j["model"]["merges"] = json::object(); }, kCorrupt, "expected an array"},
      {"merge of unknown left", [](json& j) { j["model"]["merges"][2] = "zq a"; }, kCorrupt,
       "model.merges[2]: expected tokens of model.vocab but \"zq\""},
      {"merge of unknown right", [](json& j) { j["model"]["merges"][2][1] = "zq"; }, kCorrupt, "\"zq\" is not there"},
      {"merge into unknown", [](json& j) { j["model"]["merges"][2] = "a z"; }, kCorrupt, "\"az\" is not there"},
      {"merge of one", [](json& j) { j["model"]["merges"][0] = "ll"; }, kCorrupt, "expected two tokens and a space"},
      {"merge of three", [](json& j) { j["model"]["merges"][0] = "l l l"; }, kCorrupt,
       "expected two tokens and a space"},
      {"merge with nothing", [](json& j) { j["model"]["merges"][0] = "l "; }, kCorrupt,
       "expected two tokens but one is empty"},
      {"triple",
       [](json& j) {
         j["model"]["merges"][0] = json::array({"l", "l", "l"});
       },
       kCorrupt, "expected a pair but got 3"},
      {"merge of numbers",
       [](json& j) {
         j["model"]["merges"][0] = json::array({1, 2});
       },
       kCorrupt, "model.merges[0]: expected a string"},
      {"merge is a number", [](json& j) { j["model"]["merges"][0] = 7; }, kCorrupt,
       "expected a pair or a string but got 7"},
      {"dropout", [](json& j) { j["model"]["dropout"] = 0.1; }, kUnsupported,
       "model.dropout: expected null but got 0.1"},
      {"dropout is text", [](json& j) { j["model"]["dropout"] = "x"; }, kCorrupt, "model.dropout"},
      {"byte fallback", [](json& j) { j["model"]["byte_fallback"] = true; }, kUnsupported, "model.byte_fallback"},
      {"subword prefix", [](json& j) { j["model"]["continuing_subword_prefix"] = "##"; }, kUnsupported, "\"##\""},
      {"word suffix", [](json& j) { j["model"]["end_of_word_suffix"] = "</w>"; }, kUnsupported,
       "model.end_of_word_suffix"},
      {"flag is a number", [](json& j) { j["model"]["ignore_merges"] = 1; }, kCorrupt,
       "model.ignore_merges: expected true or false"},
      {"unk token is a number", [](json& j) { j["model"]["unk_token"] = 1; }, kCorrupt,
       "model.unk_token: expected a string"},
      {"other normalizer",
       [](json& j) {
         j["normalizer"] = {{"type", "Lowercase"}};
       },
       kUnsupported, "normalizer: expected NFC, a Sequence of NFC or null but got \"Lowercase\""},
      {"normalizer in a sequence",
       [](json& j) {
         j["normalizer"] = {{"type", "Sequence"}, {"normalizers", json::array({{{"type", "NFKC"}}})}};
       },
       kUnsupported, "\"NFKC\""},
      {"normalizer without type", [](json& j) { j["normalizer"] = json::object(); }, kCorrupt, "normalizer.type"},
      {"no pre-tokenizer", [](json& j) { j["pre_tokenizer"] = nullptr; }, kUnsupported,
       "pre_tokenizer: expected ByteLevel"},
      {"other pre-tokenizer", [](json& j) { j["pre_tokenizer"]["type"] = "Metaspace"; }, kUnsupported, "\"Metaspace\""},
      {"pre-tokenizer without flag", [](json& j) { j["pre_tokenizer"].erase("add_prefix_space"); }, kCorrupt,
       "pre_tokenizer.add_prefix_space"},
      {"no ByteLevel",
       [](json& j) {
         j["pre_tokenizer"] = split({{"String", "a"}});
       },
       kUnsupported, "one that ends in ByteLevel"},
      {"Split after ByteLevel",
       [](json& j) {
         j["pre_tokenizer"] = sequence({j["pre_tokenizer"], split({{"String", "a"}})});
       },
       kUnsupported, "nothing after ByteLevel"},
      {"bad regular expression",
       [](json& j) {
         j["pre_tokenizer"] = sequence({split({{"Regex", "(a"}}), j["pre_tokenizer"]});
       },
       kUnsupported, "Split pattern: expected a regular expression"},
      {"pattern that matches nothing",
       [](json& j) {
         j["pre_tokenizer"] = sequence({split({{"Regex", "a*"}}), j["pre_tokenizer"]});
       },
       kUnsupported, "matches empty text"},
      {"pattern of other meaning",
       [](json& j) {
         j["pre_tokenizer"] = sequence({split({{"Regex", "\\h"}}), j["pre_tokenizer"]});
       },
       kUnsupported, "\\h"},
      {"pattern is text",
       [](json& j) {
         j["pre_tokenizer"] = sequence({split("a"), j["pre_tokenizer"]});
       },
       kCorrupt, "pre_tokenizer.pattern"},
      {"other behavior",
       [](json& j) {
         j["pre_tokenizer"] = sequence({split({{"String", "a"}}), j["pre_tokenizer"]});
         j["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed";
       },
       kUnsupported, "\"Removed\""},
      {"too many steps",
       [](json& j) {
         json parts = json::array();
         for (int i = 0; i < 17; ++i) parts.push_back(split({{"String", "a"}}));
         parts.push_back(j["pre_tokenizer"]);
         j["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", parts}};
       },
       kUnsupported, "at most 16 steps"},
      {"no decoder", [](json& j) { j["decoder"] = nullptr; }, kUnsupported, "decoder: expected ByteLevel but got null"},
      {"other decoder",
       [](json& j) {
         j["decoder"] = {{"type", "WordPiece"}};
       },
       kUnsupported, "decoder: expected ByteLevel but got \"WordPiece\""},
      {"unknown post-processor",
       [](json& j) {
         j["post_processor"] = {{"type", "Magic"}};
       },
       kUnsupported, "\"Magic\""},
      {"added tokens are an object", [](json& j) { j["added_tokens"] = json::object(); }, kCorrupt,
       "added_tokens: expected an array"},
      {"added token is text", [](json& j) { j["added_tokens"][0] = "x"; }, kCorrupt,
       "added_tokens[0]: expected an object"},
      {"added token without content", [](json& j) { j["added_tokens"][0].erase("content"); }, kCorrupt,
       "added_tokens[0].content"},
      {"added token without flag", [](json& j) { j["added_tokens"][0].erase("lstrip"); }, kCorrupt,
       "added_tokens[0].lstrip"},
      {"added token with number flag", [](json& j) { j["added_tokens"][0]["special"] = 1; }, kCorrupt,
       "added_tokens[0].special"},
      {"added token without id", [](json& j) { j["added_tokens"][0].erase("id"); }, kCorrupt, "added_tokens[0].id"},
      {"added token with huge id", [](json& j) { j["added_tokens"][0]["id"] = 2'000'000'000; }, kCorrupt,
       "but got 2000000000"},
      {"added token with other id", [](json& j) { j["added_tokens"][0]["id"] = 263; }, kCorrupt,
       "expected id 262 for \"<eos>\" but got 263"},
      {"added token twice", [](json& j) { j["added_tokens"].push_back(j["added_tokens"][0]); }, kCorrupt,
       "\"<eos>\" is twice"},
      {"added token twice once normalised",
       [](json& j) {
         j["normalizer"] = {{"type", "NFC"}};
         j["added_tokens"].push_back(added_token(263, "e\u0301!", {"normalized"}));
         j["added_tokens"].push_back(added_token(264, "\u00E9!", {"normalized"}));
       },
       kCorrupt, "once normalised"},
      {"line break in a name", [](json& j) { j["model"]["vocab"]["x\ny"] = "1"; }, kCorrupt, "\"x\\ny\""},
  };
  return all;
}

void expect_refusal(const std::string& text, const std::string& name, ErrorCode code, const std::string& says) {
  try {
    parse_tokenizer(text, "test.json");
    ADD_FAILURE() << name << ": accepted";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << name << ": " << message;
    EXPECT_NE(message.find(says), std::string::npos) << name << ": " << message;
    EXPECT_EQ(message.rfind("[test.json] ", 0), 0u) << name << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << name;
    EXPECT_LT(message.size(), 300u) << name;
  }
}

TEST(Malformed, EveryFaultIsNamed) {
  for (const Case& fault : cases()) {
    json file = tiny_tokenizer_json();
    fault.bend(file);
    expect_refusal(file.dump(), fault.name, fault.code, fault.says);
  }
}

TEST(Malformed, HarmlessOptionsPass) {
  json file = tiny_tokenizer_json();
  file["model"]["dropout"] = 0.0;
  file["model"]["unk_token"] = "<eos>";
  file["model"]["fuse_unk"] = true;
  file["model"]["continuing_subword_prefix"] = "";
  file["truncation"] = {{"max_length", 1}};
  file["post_processor"] = {{"type", "TemplateProcessing"}};
  file["added_tokens"].push_back(added_token(263, "", {}));  // Hugging Face passes over it
  EXPECT_EQ(parse(file)->encode("hello!").size(), 2u);
}

TEST(Malformed, TextThatIsNoJson) {
  const std::string good = tiny_tokenizer_json().dump();
  expect_refusal("", "empty", kCorrupt, "syntax error at byte");
  expect_refusal(good.substr(0, good.size() / 2), "truncated", kCorrupt, "syntax error at byte");
  expect_refusal(good + "x", "trailing text", kCorrupt, "syntax error at byte");
  expect_refusal("{\"version\": \"\xFF\"}", "ill-formed UTF-8", kCorrupt, "syntax error at byte");
  expect_refusal("{\"version\": 1e999}", "number out of range", kCorrupt, "syntax error at byte");
  expect_refusal(R"({"model": {"a": 1, "a": 2}})", "duplicate key", kCorrupt, "got \"a\" twice");
  expect_refusal(std::string(1'000'000, '['), "nesting bomb", kCorrupt, "nested levels");
  std::string bomb = "[";
  for (int i = 0; i < 9'000'000; ++i) bomb += "0,";
  expect_refusal(bomb + "0]", "value bomb", kCorrupt, "at most 8000000 JSON values");
}

/// Files of the fuzz corpus: `good_*` load, the others are refused.
TEST(Corpus, GoodOnesLoadAndBadOnesAreRefused) {
  int num_good = 0, num_bad = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(XLSTM_SOURCE_DIR) / "tests/fuzz/corpus/tokenizer")) {
    const bool good = entry.path().filename().string().rfind("good_", 0) == 0;
    (good ? num_good : num_bad) += 1;
    if (good) {
      EXPECT_EQ(load_tokenizer(entry.path())->decode(load_tokenizer(entry.path())->encode("hello ab")), "hello ab");
    } else {
      EXPECT_THROW(load_tokenizer(entry.path()), Error) << entry.path();
    }
  }
  EXPECT_GE(num_good, 2);
  EXPECT_GE(num_bad, 6);
}

TEST(Corpus, RandomMutationsNeverCrash) {
  std::ifstream file(fs::path(XLSTM_SOURCE_DIR) / "tests/fuzz/corpus/tokenizer/good_pairs.json", std::ios::binary);
  std::stringstream stream;
  stream << file.rdbuf();
  const std::string good = stream.str();
  ASSERT_FALSE(good.empty());
  std::mt19937 random(1);
  int num_loaded = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string bad = good;
    for (unsigned n = random() % 3 + 1; n > 0; --n) {
      const std::size_t at = random() % bad.size();
      if (random() % 4 == 0)
        bad.erase(at, random() % 40);
      else if (random() % 4 == 0)
        bad.insert(at, bad.substr(random() % bad.size(), random() % 40));
      else
        bad[at] = static_cast<char>(random() % 4 == 0 ? random() : "0123456789[]{}\",:"[random() % 17]);
    }
    try {
      const auto tokenizer = parse_tokenizer(bad, "mutant.json");
      tokenizer->decode(tokenizer->encode("hello ab <eos>\xFF"));
      ++num_loaded;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
  EXPECT_GT(num_loaded, 0);
  EXPECT_LT(num_loaded, 1000);
}

}  // namespace
}  // namespace xlstm::tokenizer
