// A tokenizer.json small enough to read, for tests to bend.
#pragma once

#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "xlstm/tokenizer/spec.h"
#include "xlstm/tokenizer/tokenizer.h"

namespace xlstm::tokenizer {

/// Ids 0 to 255 are the bytes, then come the results of the merges, then one special token, "<eos>".
inline nlohmann::json tiny_tokenizer_json() {
  using nlohmann::json;
  json vocabulary = json::object();
  for (int byte = 0; byte < 256; ++byte) vocabulary[byte_level_text(static_cast<unsigned char>(byte))] = byte;
  json merges = json::array();
  for (const auto& [left, right] : std::initializer_list<std::pair<const char*, const char*>>{
           {"l", "l"}, {"h", "e"}, {"he", "ll"}, {"hell", "o"}, {"\u0120", "hello"}, {"a", "b"}}) {
    merges.push_back(json::array({left, right}));
  }
  for (const json& merge : merges) {
    const int id = static_cast<int>(vocabulary.size());
    vocabulary[merge[0].get<std::string>() + merge[1].get<std::string>()] = id;
  }
  const json eos = {{"id", vocabulary.size()}, {"content", "<eos>"},  {"single_word", false}, {"lstrip", false},
                    {"rstrip", false},         {"normalized", false}, {"special", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", json::array({eos})},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model",
           {{"type", "BPE"}, {"dropout", nullptr}, {"unk_token", nullptr}, {"vocab", vocabulary}, {"merges", merges}}}};
}

inline std::unique_ptr<Tokenizer> parse(const nlohmann::json& json) {
  return parse_tokenizer(json.dump(), "test.json");
}

/// An entry of added_tokens whose flags are all false but those named.
inline nlohmann::json added_token(int id, const std::string& content, std::initializer_list<const char*> flags) {
  nlohmann::json token = {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                          {"rstrip", false}, {"normalized", false}, {"special", false}};
  for (const char* flag : flags) token[flag] = true;
  return token;
}

}  // namespace xlstm::tokenizer
