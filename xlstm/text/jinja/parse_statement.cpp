#include <algorithm>

#include "xlstm/text/jinja/parser.h"

namespace xlstm::text::jinja {
namespace {

constexpr std::string_view kUnsupported[] = {"extends",    "include", "import", "from",  "block",
                                             "autoescape", "print",   "do",     "trans", "debug"};

}  // namespace

// Up to the name of one of `ends`, which is left to be taken; without ends, up to the end of the template.
Body Parser::parse_body(std::initializer_list<std::string_view> ends) {
  const Deeper deeper(*this);
  Body body;
  while (current().kind != TokenKind::end) {
    const Token token = take();
    if (token.kind == TokenKind::data) {
      body.push_back({token.position, TextStatement{token.text}});
    } else if (token.kind == TokenKind::output_begin) {
      ExpressionPtr value = parse_tuple(true, false);
      expect(TokenKind::output_end, "\"}}\"");
      body.push_back({token.position, Output{std::move(value)}});
    } else {
      const auto here = [this](std::string_view end) { return is_name(end); };
      if (std::any_of(ends.begin(), ends.end(), here)) return body;
      body.push_back(parse_tag());
      expect(TokenKind::block_end, "\"%}\"");
    }
  }
  if (ends.size() > 0) fail_here("{% " + std::string(*std::prev(ends.end())) + " %}");
  return body;
}

// "%}", a body and the name that ends it.
Body Parser::parse_block(std::initializer_list<std::string_view> ends) {
  skip_op(":");
  expect(TokenKind::block_end, "\"%}\"");
  return parse_body(ends);
}

void Parser::drop_uncertain(std::size_t first) {
  const auto begin = unknown_.begin() + static_cast<std::ptrdiff_t>(first);
  unknown_.erase(std::remove_if(begin, unknown_.end(), [](const Unknown& it) { return !it.certain; }), unknown_.end());
}

// A body with names of its own.
Body Parser::parse_inner_block(std::initializer_list<std::string_view> ends) {
  const std::size_t num_unknown = unknown_.size();
  Body body = parse_block(ends);
  for (std::size_t i = num_unknown; i < unknown_.size(); ++i) unknown_[i].certain = true;
  return body;
}

// The body of a function: a {% break %} in it does not reach a loop around it.
Body Parser::parse_own_scope(std::initializer_list<std::string_view> ends) {
  const Deeper deeper(*this);
  surroundings_.in_loop = false;
  return parse_inner_block(ends);
}

Statement Parser::parse_tag() {
  const Position position = current().position;
  const std::string tag = expect_name("the name of a statement");
  if (tag == "if") return {position, parse_if()};
  if (tag == "for") return {position, parse_for()};
  if (tag == "set") {
    return std::visit([&](auto&& set) { return Statement{position, std::move(set)}; }, parse_set());
  }
  if (tag == "macro") return {position, parse_macro()};
  if (tag == "call") return {position, parse_call_block()};
  if (tag == "filter") return {position, parse_filter_block()};
  if (tag == "with") return {position, parse_with()};
  if (tag == "generation") return {position, parse_generation()};
  if (tag == "break" || tag == "continue") {
    if (!surroundings_.in_loop) fail_at(position, "expected a loop around {% " + tag + " %} but got none");
    if (tag == "break") return {position, Break{}};
    return {position, Continue{}};
  }
  if (std::find(std::begin(kUnsupported), std::end(kUnsupported), tag) != std::end(kUnsupported)) {
    fail_at(position, "{% " + tag + " %} is not supported");
  }
  fail_at(position, "expected a statement but got \"" + tag.substr(0, 48) + '"');
}

If Parser::parse_if() {
  const std::size_t num_unknown = unknown_.size();
  If statement;
  std::string end = "if";
  while (end == "if" || end == "elif") {
    ExpressionPtr test = parse_tuple(false, false);
    Body body = parse_block({"elif", "else", "endif"});
    statement.branches.emplace_back(std::move(test), std::move(body));
    end = take().text;
  }
  if (end == "else") {
    statement.otherwise = parse_block({"endif"});
    take();
  }
  drop_uncertain(num_unknown);
  return statement;
}

For Parser::parse_for() {
  const Deeper whole(*this);
  surroundings_.in_for = true;
  For loop;
  loop.target = parse_target(false, "in");
  if (!skip_name("in")) fail_here("\"in\"");
  loop.iterable = parse_tuple(false, false, "recursive");
  if (skip_name("if")) loop.filter = parse_expression();
  if (is_name("recursive")) fail_at(current().position, "a recursive {% for %} is not supported");
  {
    const Deeper deeper(*this);
    surroundings_.in_loop = true;
    loop.body = parse_inner_block({"else", "endfor"});
  }
  if (take().text == "else") {
    loop.otherwise = parse_inner_block({"endfor"});
    take();
  }
  return loop;
}

std::variant<Set, SetBlock> Parser::parse_set() {
  Target target = parse_target(true, "");
  if (skip_op("=")) return Set{std::move(target), parse_tuple(true, false)};
  ExpressionPtr filter = parse_filter_chain(nullptr);
  Body body = parse_inner_block({"endset"});
  take();
  return SetBlock{std::move(target), std::move(filter), std::move(body)};
}

std::vector<Parameter> Parser::parse_parameters() {
  expect_op("(");
  std::vector<Parameter> parameters;
  bool has_default = false;
  while (!is_op(")")) {
    if (!parameters.empty()) expect_op(",");
    const Position position = current().position;
    std::string name = expect_name("the name of a parameter");
    const auto same = [&](const Parameter& parameter) { return parameter.name == name; };
    if (std::any_of(parameters.begin(), parameters.end(), same)) fail_at(position, "expected each parameter once");
    if (name == "caller") fail_at(position, "a parameter named caller is not supported");
    ExpressionPtr value;
    if (skip_op("=")) {
      value = parse_expression();
      has_default = true;
    } else if (has_default) {
      fail_here("a default value, as the parameter before has one,");
    }
    parameters.push_back({std::move(name), std::move(value)});
  }
  expect_op(")");
  return parameters;
}

Callable Parser::parse_callable(std::string name, std::vector<Parameter> parameters, std::string_view end) {
  Callable callable;
  callable.name = std::move(name);
  callable.parameters = std::move(parameters);
  callables_.push_back(&callable);
  callable.body = parse_own_scope({end});
  callables_.pop_back();
  take();
  for (const Parameter& parameter : callable.parameters) {
    if (parameter.name == "varargs") callable.uses_varargs = false;
    if (parameter.name == "kwargs") callable.uses_kwargs = false;
  }
  return callable;
}

Macro Parser::parse_macro() {
  std::string name = expect_name("the name of a macro");
  std::vector<Parameter> parameters = parse_parameters();
  return {parse_callable(std::move(name), std::move(parameters), "endmacro")};
}

CallBlock Parser::parse_call_block() {
  std::vector<Parameter> parameters = is_op("(") ? parse_parameters() : std::vector<Parameter>();
  const Position position = current().position;
  ExpressionPtr call = parse_expression();
  if (!std::holds_alternative<Call>(call->node)) fail_at(position, "expected a call behind {% call but got none");
  return {parse_callable("", std::move(parameters), "endcall"), std::move(call)};
}

FilterBlock Parser::parse_filter_block() {
  ExpressionPtr filter = parse_filter_chain(parse_filter(nullptr));
  Body body = parse_inner_block({"endfilter"});
  take();
  return {std::move(filter), std::move(body)};
}

With Parser::parse_with() {
  With with;
  while (current().kind != TokenKind::block_end) {
    if (!with.variables.empty()) expect_op(",");
    Target target = parse_target(false, "");
    expect_op("=");
    with.variables.emplace_back(std::move(target), parse_expression());
  }
  with.body = parse_inner_block({"endwith"});
  take();
  return with;
}

With Parser::parse_generation() {
  With scope;
  scope.body = parse_own_scope({"endgeneration"});
  take();
  return scope;
}

Target Parser::parse_target_item(bool with_attribute) {
  const Deeper deeper(*this);
  Target target;
  target.position = current().position;
  if (skip_op("(")) {
    target = parse_target(with_attribute, "");
    expect_op(")");
    return target;
  }
  target.name = expect_name("a name to assign to");
  constexpr std::string_view kConstants[] = {"true", "false", "none", "True", "False", "None"};
  if (std::find(std::begin(kConstants), std::end(kConstants), target.name) != std::end(kConstants)) {
    fail_at(target.position, "expected a name to assign to but got \"" + target.name + '"');
  }
  if (target.name == "loop" && surroundings_.in_for) {
    fail_at(target.position, "expected another name than loop to assign to inside {% for %}");
  }
  if (with_attribute && skip_op(".")) target.attribute = expect_name("the name of an attribute");
  return target;
}

Target Parser::parse_target(bool with_attribute, std::string_view end_name) {
  Target tuple;
  tuple.position = current().position;
  const auto at_end = [&] {
    return is_op(")") || is_op("=") || current().kind == TokenKind::block_end ||
           (!end_name.empty() && is_name(end_name));
  };
  do {
    if (at_end()) break;
    tuple.items.push_back(parse_target_item(with_attribute));
    tuple.is_tuple = tuple.is_tuple || is_op(",");
  } while (skip_op(","));
  if (tuple.items.empty()) fail_here("a name to assign to");
  if (tuple.is_tuple) return tuple;
  Target only = std::move(tuple.items[0]);
  return only;
}

}  // namespace xlstm::text::jinja
