#include "xlstm/text/jinja/parser.h"

#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

std::string shown(const Token& token) {
  switch (token.kind) {
    case TokenKind::data:
      return "text";
    case TokenKind::output_begin:
      return "\"{{\"";
    case TokenKind::output_end:
      return "\"}}\"";
    case TokenKind::block_begin:
      return "\"{%\"";
    case TokenKind::block_end:
      return "\"%}\"";
    case TokenKind::end:
      return "the end of the template";
    default:
      return '"' + cut_utf8(token.text, 48) + '"';
  }
}

}  // namespace

Token Parser::take() {
  Token token = current();
  if (token.kind != TokenKind::end) ++next_;
  return token;
}

bool Parser::skip_op(std::string_view op) {
  if (!is_op(op)) return false;
  take();
  return true;
}

bool Parser::skip_name(std::string_view name) {
  if (!is_name(name)) return false;
  take();
  return true;
}

void Parser::fail_here(std::string_view expected) const {
  fail_at(current().position, "expected " + std::string(expected) + " but got " + shown(current()));
}

void Parser::expect_op(std::string_view op) {
  if (!skip_op(op)) fail_here('"' + std::string(op) + '"');
}

std::string Parser::expect_name(std::string_view what) {
  if (current().kind != TokenKind::name) fail_here(what);
  return take().text;
}

void Parser::expect(TokenKind kind, std::string_view what) {
  if (current().kind != kind) fail_here(what);
  take();
}

Body Parser::parse() {
  Body body = parse_body({});
  if (!unknown_.empty()) fail_at(unknown_[0].position, unknown_[0].message);
  return body;
}

}  // namespace xlstm::text::jinja
