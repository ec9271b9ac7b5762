// Tokens -> syntax tree. Recursive descent with Jinja's grammar and precedences.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xlstm/text/jinja/ast.h"
#include "xlstm/text/jinja/lexer.h"

namespace xlstm::text::jinja {

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}
  /// The whole template. Errors: invalid_argument with line and column; so are statements, filters and tests that Jinja
  /// has and this subset has not.
  Body parse();

 private:
  // What the parser is inside of.
  struct Surroundings {
    int depth = 0;
    bool in_loop = false;  // where {% break %} may stand
    bool in_for = false;   // where `loop` may not be assigned to
  };
  struct Deeper;
  // A filter or test that does not exist. As in Jinja it is an error at once, unless it stands right in an {% if %} or
  // an inline if, whose branch may never be taken.
  struct Unknown {
    Position position;
    std::string message;
    bool certain = false;
  };

  const Token& current() const { return tokens_[next_]; }
  const Token& look() const { return tokens_[next_ + (current().kind == TokenKind::end ? 0 : 1)]; }
  Token take();
  bool is_op(std::string_view op) const { return current().kind == TokenKind::op && current().text == op; }
  bool is_name(std::string_view name) const { return current().kind == TokenKind::name && current().text == name; }
  bool skip_op(std::string_view op);
  bool skip_name(std::string_view name);
  void expect_op(std::string_view op);
  std::string expect_name(std::string_view what);
  void expect(TokenKind kind, std::string_view what);
  [[noreturn]] void fail_here(std::string_view expected) const;

  // parse_statement.cpp
  Body parse_body(std::initializer_list<std::string_view> ends);
  void drop_uncertain(std::size_t first);
  Body parse_inner_block(std::initializer_list<std::string_view> ends);
  Body parse_block(std::initializer_list<std::string_view> ends);
  Body parse_own_scope(std::initializer_list<std::string_view> ends);
  Statement parse_tag();
  If parse_if();
  For parse_for();
  std::variant<Set, SetBlock> parse_set();
  Macro parse_macro();
  CallBlock parse_call_block();
  With parse_with();
  With parse_generation();
  FilterBlock parse_filter_block();
  std::vector<Parameter> parse_parameters();
  Callable parse_callable(std::string name, std::vector<Parameter> parameters, std::string_view end);
  Target parse_target(bool with_attribute, std::string_view end_name);
  Target parse_target_item(bool with_attribute);

  // parse_expression.cpp
  ExpressionPtr make(Position position, ExpressionNode node);
  ExpressionPtr parse_expression() { return parse_conditional(); }
  ExpressionPtr parse_tuple(bool with_conditional, bool in_parentheses, std::string_view end_name = "");
  ExpressionPtr parse_conditional();
  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_comparison();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concatenation();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool with_filter);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_name();
  ExpressionPtr parse_strings();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();

  // parse_postfix.cpp
  ExpressionPtr parse_postfix(ExpressionPtr expression);
  ExpressionPtr parse_filters_and_tests(ExpressionPtr expression);
  ExpressionPtr parse_filter(ExpressionPtr input);
  ExpressionPtr parse_filter_chain(ExpressionPtr input);
  ExpressionPtr parse_test(ExpressionPtr input);
  ExpressionPtr parse_attribute(ExpressionPtr object);
  ExpressionPtr parse_subscript(ExpressionPtr object);
  ExpressionPtr parse_call(ExpressionPtr callee);
  CallArguments parse_arguments();
  std::string parse_dotted_name(std::string_view what);

  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  Surroundings surroundings_;
  std::vector<Callable*> callables_;  // whose bodies the parser is in
  std::vector<Unknown> unknown_;
};

/// One level deeper while it lives.
struct Parser::Deeper {
  explicit Deeper(Parser& of) : parser(of), before(of.surroundings_) {
    if (++parser.surroundings_.depth > kMaxSourceDepth) {
      fail_at(parser.current().position,
              "expected at most " + std::to_string(kMaxSourceDepth) + " nested levels of the template but got more");
    }
  }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  ~Deeper() { parser.surroundings_ = before; }

  Parser& parser;
  const Surroundings before;
};

}  // namespace xlstm::text::jinja
