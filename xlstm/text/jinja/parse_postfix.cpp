// What stands behind an operand: attributes, subscripts, calls, filters, tests.
#include <algorithm>

#include "xlstm/text/jinja/filters.h"
#include "xlstm/text/jinja/parser.h"
#include "xlstm/text/jinja/tests.h"

namespace xlstm::text::jinja {

ExpressionPtr Parser::parse_postfix(ExpressionPtr expression) {
  while (true) {
    if (is_op(".")) {
      expression = parse_attribute(std::move(expression));
    } else if (is_op("[")) {
      expression = parse_subscript(std::move(expression));
    } else if (is_op("(")) {
      expression = parse_call(std::move(expression));
    } else {
      return expression;
    }
  }
}

ExpressionPtr Parser::parse_filters_and_tests(ExpressionPtr expression) {
  while (true) {
    if (is_op("|")) {
      take();
      expression = parse_filter(std::move(expression));
    } else if (is_name("is")) {
      expression = parse_test(std::move(expression));
    } else if (is_op("(")) {
      expression = parse_call(std::move(expression));
    } else {
      return expression;
    }
  }
}

std::string Parser::parse_dotted_name(std::string_view what) {
  std::string name = expect_name(what);
  while (skip_op(".")) name += '.' + expect_name(what);
  return name;
}

ExpressionPtr Parser::parse_filter(ExpressionPtr input) {
  const Position position = current().position;
  std::string name = parse_dotted_name("the name of a filter");
  if (!is_filter(name)) unknown_.push_back({position, unknown_filter(name)});
  CallArguments arguments = is_op("(") ? parse_arguments() : CallArguments();
  return make(position, Filter{std::move(input), std::move(name), std::move(arguments)});
}

ExpressionPtr Parser::parse_filter_chain(ExpressionPtr input) {
  while (skip_op("|")) input = parse_filter(std::move(input));
  return input;
}

ExpressionPtr Parser::parse_test(ExpressionPtr input) {
  const Position position = take().position;
  const bool negated = skip_name("not");
  std::string name = parse_dotted_name("the name of a test");
  if (!is_test(name)) unknown_.push_back({position, unknown_test(name)});
  CallArguments arguments;
  if (is_op("(")) {
    arguments = parse_arguments();
  } else if (is_name("is")) {
    fail_here("one test but a chain of them");
  } else if (const bool is_operand =
                 current().kind == TokenKind::literal || is_op("[") || is_op("{") ||
                 (current().kind == TokenKind::name && !is_name("else") && !is_name("or") && !is_name("and"));
             is_operand) {
    arguments.positional.push_back(parse_postfix(parse_primary()));
  }
  ExpressionPtr test = make(position, Test{std::move(input), std::move(name), std::move(arguments)});
  return negated ? make(position, Unary{UnaryOperator::logical_not, std::move(test)}) : std::move(test);
}

ExpressionPtr Parser::parse_attribute(ExpressionPtr object) {
  const Position position = take().position;
  const Token token = take();
  if (token.kind == TokenKind::name) return make(position, Attribute{std::move(object), token.text});
  if (!is<std::int64_t>(token.value)) {
    fail_at(token.position, "expected a name or a number behind \".\" but got \"" + token.text + '"');
  }
  return make(position, Subscript{std::move(object), make(token.position, Literal{token.value})});
}

ExpressionPtr Parser::parse_subscript(ExpressionPtr object) {
  const Deeper deeper(*this);
  const Position position = take().position;
  ExpressionPtr first = is_op(":") ? nullptr : parse_expression();
  if (is_op(":")) {
    ExpressionPtr bounds[2];
    for (ExpressionPtr& bound : bounds) {
      if (skip_op(":") && !is_op(":") && !is_op("]") && !is_op(",")) bound = parse_expression();
    }
    if (is_op(",")) fail_here("one slice");
    expect_op("]");
    return make(position, Slice{std::move(object), std::move(first), std::move(bounds[0]), std::move(bounds[1])});
  }
  if (is_op(",")) {
    std::vector<ExpressionPtr> items;
    items.push_back(std::move(first));
    while (skip_op(",")) items.push_back(parse_expression());
    first = make(position, TupleDisplay{std::move(items)});
  }
  expect_op("]");
  return make(position, Subscript{std::move(object), std::move(first)});
}

ExpressionPtr Parser::parse_call(ExpressionPtr callee) {
  const Position position = current().position;
  CallArguments arguments = parse_arguments();
  return make(position, Call{std::move(callee), std::move(arguments)});
}

CallArguments Parser::parse_arguments() {
  const Deeper deeper(*this);
  expect_op("(");
  CallArguments arguments;
  while (!is_op(")")) {
    const bool is_named = current().kind == TokenKind::name && look().kind == TokenKind::op && look().text == "=";
    if (arguments.mapping != nullptr) fail_here("\")\" behind **arguments");
    if (is_op("*")) {
      if (arguments.sequence != nullptr) fail_here("at most one *argument");
      take();
      arguments.sequence = parse_expression();
    } else if (skip_op("**")) {
      arguments.mapping = parse_expression();
    } else if (is_named) {
      std::string name = take().text;
      take();
      const auto same = [&](const auto& argument) { return argument.first == name; };
      if (std::any_of(arguments.named.begin(), arguments.named.end(), same)) fail_here("each named argument once");
      arguments.named.emplace_back(std::move(name), parse_expression());
    } else {
      if (arguments.sequence != nullptr || !arguments.named.empty()) fail_here("a named argument behind named ones");
      arguments.positional.push_back(parse_expression());
    }
    if (!skip_op(",")) break;
  }
  expect_op(")");
  return arguments;
}

}  // namespace xlstm::text::jinja
