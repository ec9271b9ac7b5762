// The text side of a checkpoint: its tokenizer, and which ids begin and end a text (reference section 1.9).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/token_id.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/config/model_config.h"
#include "xlstm/text/chat_template.h"
#include "xlstm/text/grammar/vocabulary.h"
#include "xlstm/tokenizer/tokenizer.h"

namespace xlstm::engine {

/// tokenizer.json, or bytes when there is none (noted through log).
/// Errors: those of tokenizer::parse_tokenizer.
std::unique_ptr<tokenizer::Tokenizer> read_tokenizer(const checkpoint::FileSource& files);

/// The id of tokenizer_config.json's eos_token, else of "<|endoftext|>", when the tokenizer has it; else
/// config_stop_ids. Not the config's eos first: published files name an ordinary "!" there (Q28). Errors: corrupt_file
/// when tokenizer_config.json is not JSON.
std::vector<TokenId> default_stop_ids(const checkpoint::FileSource& files, const tokenizer::Tokenizer& tokenizer,
                                      const config::ModelConfig& config);

/// What the checkpoint says of chats, as it is written: a template that nobody asks for need not parse.
struct ChatFiles {
  std::string tokenizer_config = "{}";
  std::optional<std::string> chat_template;  // chat_template.jinja, which goes first
};
ChatFiles read_chat_files(const checkpoint::FileSource& files);
/// Errors: those of text::ChatTemplate::from_tokenizer_config.
std::optional<text::ChatTemplate> parse_chat_template(const ChatFiles& files);

/// The tokens as grammars see them: special ones have no bytes.
std::shared_ptr<const text::grammar::Vocabulary> make_vocabulary(const tokenizer::Tokenizer& tokenizer);

/// The eos ids of the config, without those outside the vocabulary.
std::vector<TokenId> config_stop_ids(const config::ModelConfig& config);

/// Ids of `text`; with_bos prepends the BOS when the model has one and wants it and the text does not begin with it.
/// Files of the research layout have none.
std::vector<TokenId> encode_prompt(std::string_view text, bool with_bos, const tokenizer::Tokenizer& tokenizer,
                                   const config::ModelConfig& config);

}  // namespace xlstm::engine
