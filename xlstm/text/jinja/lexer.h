// The source of a template -> tokens, by the rules of Jinja with trim_blocks and lstrip_blocks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

enum class TokenKind { data, output_begin, output_end, block_begin, block_end, name, literal, op, end };

struct Token {
  TokenKind kind;
  std::string text;  // data, name, operator; a literal as it is written
  Value value;       // of a literal
  Position position;
};

/// The last token is of kind `end`. Errors: invalid_argument with line and column.
std::vector<Token> tokenize(std::string_view source);

/// "\r\n" and "\r" as "\n", without one newline at the end: what tokenize() reads.
std::string normalize_newlines(std::string_view source);

}  // namespace xlstm::text::jinja
