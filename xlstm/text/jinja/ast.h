// A parsed template: expressions and statements with their places in the source. Never changes once it is made.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;
struct Statement;
using Body = std::vector<Statement>;

/// (a, b=c, *d, **e)
struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr sequence;  // null: none, here and below
  ExpressionPtr mapping;
};

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct ListDisplay {
  std::vector<ExpressionPtr> items;
};
struct TupleDisplay {
  std::vector<ExpressionPtr> items;
};
struct DictDisplay {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
enum class UnaryOperator { plus, minus, logical_not };
struct Unary {
  UnaryOperator op;
  ExpressionPtr operand;
};
enum class BinaryOperator { add, subtract, multiply, divide, floor_divide, modulo, power };
struct Binary {
  BinaryOperator op;
  ExpressionPtr left, right;
};
struct Logical {
  bool is_and;
  ExpressionPtr left, right;
};
struct Concatenation {  // ~
  std::vector<ExpressionPtr> parts;
};
enum class Comparator { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };
struct Comparison {
  ExpressionPtr first;
  std::vector<std::pair<Comparator, ExpressionPtr>> rest;
};
struct Conditional {
  ExpressionPtr test, when_true, when_false;  // when_false null: undefined
};
struct Attribute {
  ExpressionPtr object;
  std::string name;
};
struct Subscript {
  ExpressionPtr object, index;
};
struct Slice {
  ExpressionPtr object, start, stop, step;
};
struct Call {
  ExpressionPtr callee;
  CallArguments arguments;
};
struct Filter {
  ExpressionPtr input;  // null: the text of a block
  std::string name;
  CallArguments arguments;
};
struct Test {
  ExpressionPtr input;
  std::string name;
  CallArguments arguments;
};

using ExpressionNode =
    std::variant<Literal, Name, ListDisplay, TupleDisplay, DictDisplay, Unary, Binary, Logical, Concatenation,
                 Comparison, Conditional, Attribute, Subscript, Slice, Call, Filter, Test>;

struct Expression {
  Position position;
  ExpressionNode node;
  int depth;  // of the tree below it, 1 for a leaf
};

/// The depth of the deepest expression right below a node; 0 when there is none.
int deepest_child(const ExpressionNode& node);

/// name, namespace.attribute, or a tuple of targets.
struct Target {
  Position position;
  std::string name;
  std::string attribute;
  bool is_tuple = false;
  std::vector<Target> items;
};

struct Parameter {
  std::string name;
  ExpressionPtr default_value;
};
/// What a macro or a call block takes and does.
struct Callable {
  std::string name;  // empty: the body of a call block
  std::vector<Parameter> parameters;
  Body body;
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;
};

struct TextStatement {
  std::string text;
};
struct Output {
  ExpressionPtr value;
};
struct If {
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  Body otherwise;
};
struct For {
  Target target;
  ExpressionPtr iterable, filter;
  Body body, otherwise;
};
struct Set {
  Target target;
  ExpressionPtr value;
};
struct SetBlock {
  Target target;
  ExpressionPtr filter;
  Body body;
};
struct Macro {
  Callable callable;
};
struct CallBlock {
  Callable caller;
  ExpressionPtr call;
};
struct FilterBlock {
  ExpressionPtr filter;
  Body body;
};
/// {% with %}; {% generation %} is one without variables.
struct With {
  std::vector<std::pair<Target, ExpressionPtr>> variables;
  Body body;
};
struct Break {};
struct Continue {};

struct Statement {
  Position position;
  std::variant<TextStatement, Output, If, For, Set, SetBlock, Macro, CallBlock, FilterBlock, With, Break, Continue>
      node;
};

}  // namespace xlstm::text::jinja
