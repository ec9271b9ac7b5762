#include <algorithm>

#include "xlstm/text/jinja/parser.h"

namespace xlstm::text::jinja {
namespace {

// Chains such as a + b + c lean to the left: the tree is deeper than the source is nested.
constexpr int kMaxTreeDepth = 2 * kMaxSourceDepth;

}  // namespace

ExpressionPtr Parser::make(Position position, ExpressionNode node) {
  const int depth = 1 + deepest_child(node);
  if (depth > kMaxTreeDepth) {
    fail_at(position, "expected at most " + std::to_string(kMaxTreeDepth) + " operations in a chain but got more");
  }
  return std::make_unique<Expression>(Expression{position, std::move(node), depth});
}

ExpressionPtr Parser::parse_tuple(bool with_conditional, bool in_parentheses, std::string_view end_name) {
  const Position position = current().position;
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  const auto at_end = [&] {
    return current().kind == TokenKind::output_end || current().kind == TokenKind::block_end || is_op(")") ||
           (!end_name.empty() && is_name(end_name));
  };
  while (!at_end()) {
    items.push_back(with_conditional ? parse_conditional() : parse_or());
    if (!skip_op(",")) break;
    is_tuple = true;
  }
  if (is_tuple || (items.empty() && in_parentheses)) return make(position, TupleDisplay{std::move(items)});
  if (items.empty()) fail_here("an expression");
  return std::move(items[0]);
}

ExpressionPtr Parser::parse_conditional() {
  const Deeper deeper(*this);
  const std::size_t num_unknown = unknown_.size();
  ExpressionPtr value = parse_or();
  while (is_name("if")) {
    const Position position = take().position;
    ExpressionPtr test = parse_or();
    ExpressionPtr when_false = skip_name("else") ? parse_conditional() : nullptr;
    value = make(position, Conditional{std::move(test), std::move(value), std::move(when_false)});
    drop_uncertain(num_unknown);
  }
  return value;
}

ExpressionPtr Parser::parse_or() {
  ExpressionPtr left = parse_and();
  while (is_name("or")) {
    const Position position = take().position;
    left = make(position, Logical{false, std::move(left), parse_and()});
  }
  return left;
}

ExpressionPtr Parser::parse_and() {
  ExpressionPtr left = parse_not();
  while (is_name("and")) {
    const Position position = take().position;
    left = make(position, Logical{true, std::move(left), parse_not()});
  }
  return left;
}

ExpressionPtr Parser::parse_not() {
  if (!is_name("not")) return parse_comparison();
  const Deeper deeper(*this);
  const Position position = take().position;
  return make(position, Unary{UnaryOperator::logical_not, parse_not()});
}

ExpressionPtr Parser::parse_comparison() {
  const Position position = current().position;
  Comparison comparison;
  comparison.first = parse_sum();
  constexpr std::pair<std::string_view, Comparator> kComparators[] = {
      {"==", Comparator::equal},      {"!=", Comparator::not_equal}, {"<", Comparator::less},
      {"<=", Comparator::less_equal}, {">", Comparator::greater},    {">=", Comparator::greater_equal}};
  while (true) {
    const auto* found = std::find_if(std::begin(kComparators), std::end(kComparators),
                                     [this](const auto& entry) { return is_op(entry.first); });
    Comparator comparator = Comparator::in;
    if (found != std::end(kComparators)) {
      comparator = found->second;
    } else if (is_name("not") && look().kind == TokenKind::name && look().text == "in") {
      comparator = Comparator::not_in;
      take();
    } else if (!is_name("in")) {
      break;
    }
    take();
    comparison.rest.emplace_back(comparator, parse_sum());
  }
  if (comparison.rest.empty()) return std::move(comparison.first);
  return make(position, std::move(comparison));
}

ExpressionPtr Parser::parse_sum() {
  ExpressionPtr left = parse_concatenation();
  while (is_op("+") || is_op("-")) {
    const Token op = take();
    const auto kind = op.text == "+" ? BinaryOperator::add : BinaryOperator::subtract;
    left = make(op.position, Binary{kind, std::move(left), parse_concatenation()});
  }
  return left;
}

ExpressionPtr Parser::parse_concatenation() {
  const Position position = current().position;
  std::vector<ExpressionPtr> parts;
  do {
    parts.push_back(parse_product());
  } while (skip_op("~"));
  if (parts.size() == 1) return std::move(parts[0]);
  return make(position, Concatenation{std::move(parts)});
}

ExpressionPtr Parser::parse_product() {
  ExpressionPtr left = parse_power();
  while (is_op("*") || is_op("/") || is_op("//") || is_op("%")) {
    const Token op = take();
    const auto kind = op.text == "*"    ? BinaryOperator::multiply
                      : op.text == "/"  ? BinaryOperator::divide
                      : op.text == "//" ? BinaryOperator::floor_divide
                                        : BinaryOperator::modulo;
    left = make(op.position, Binary{kind, std::move(left), parse_power()});
  }
  return left;
}

ExpressionPtr Parser::parse_power() {
  ExpressionPtr left = parse_unary(true);
  while (is_op("**")) {
    const Position position = take().position;
    left = make(position, Binary{BinaryOperator::power, std::move(left), parse_unary(true)});
  }
  return left;
}

ExpressionPtr Parser::parse_unary(bool with_filter) {
  const Position position = current().position;
  ExpressionPtr value;
  if (is_op("-") || is_op("+")) {
    const Deeper deeper(*this);
    const auto op = take().text == "-" ? UnaryOperator::minus : UnaryOperator::plus;
    value = make(position, Unary{op, parse_unary(false)});
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return with_filter ? parse_filters_and_tests(std::move(value)) : std::move(value);
}

ExpressionPtr Parser::parse_primary() {
  const Position position = current().position;
  if (current().kind == TokenKind::name) return parse_name();
  if (current().kind == TokenKind::literal) {
    return as_text(current().value) != nullptr ? parse_strings() : make(position, Literal{take().value});
  }
  if (is_op("[")) return parse_list();
  if (is_op("{")) return parse_dict();
  if (!skip_op("(")) fail_here("an expression");
  ExpressionPtr value = parse_tuple(true, true);
  expect_op(")");
  return value;
}

ExpressionPtr Parser::parse_name() {
  const Token token = take();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return make(token.position, Literal{true});
  if (name == "false" || name == "False") return make(token.position, Literal{false});
  if (name == "none" || name == "None") return make(token.position, Literal{None{}});
  for (Callable* callable : callables_) {
    callable->uses_caller = callable->uses_caller || name == "caller";
    callable->uses_varargs = callable->uses_varargs || name == "varargs";
    callable->uses_kwargs = callable->uses_kwargs || name == "kwargs";
  }
  return make(token.position, Name{name});
}

// Strings that follow each other are one.
ExpressionPtr Parser::parse_strings() {
  const Position position = current().position;
  std::string text;
  while (current().kind == TokenKind::literal && as_text(current().value) != nullptr)
    text += as_text(take().value)->utf8;
  return make(position, Literal{constant_text(std::move(text))});
}

ExpressionPtr Parser::parse_list() {
  const Position position = take().position;
  ListDisplay list;
  while (!is_op("]")) {
    list.items.push_back(parse_expression());
    if (!skip_op(",")) break;
  }
  expect_op("]");
  return make(position, std::move(list));
}

ExpressionPtr Parser::parse_dict() {
  const Position position = take().position;
  DictDisplay dict;
  while (!is_op("}")) {
    ExpressionPtr key = parse_expression();
    expect_op(":");
    dict.entries.emplace_back(std::move(key), parse_expression());
    if (!skip_op(",")) break;
  }
  expect_op("}");
  return make(position, std::move(dict));
}

}  // namespace xlstm::text::jinja
