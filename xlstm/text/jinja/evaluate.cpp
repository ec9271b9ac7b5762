#include "xlstm/text/jinja/filters.h"
#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/globals.h"
#include "xlstm/text/jinja/interpreter.h"
#include "xlstm/text/jinja/methods.h"
#include "xlstm/text/jinja/operators.h"
#include "xlstm/text/jinja/tests.h"

namespace xlstm::text::jinja {

const Value* Scope::find(const std::string& name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->around.get()) {
    const auto found = scope->names.find(name);
    if (found != scope->names.end()) return &found->second;
  }
  return nullptr;
}

Value Interpreter::call_filter(const std::string& name, const Value& input, const Arguments& arguments) {
  const Runtime::Nested nested(runtime_);
  runtime_.step();
  return apply_filter(runtime_, name, input, arguments);
}

bool Interpreter::call_test(const std::string& name, const Value& input, const Arguments& arguments) {
  const Runtime::Nested nested(runtime_);
  runtime_.step();
  return apply_test(runtime_, name, input, arguments);
}

Value Interpreter::evaluate(const Expression& expression, const ScopePtr& scope) {
  runtime_.at(expression.position);
  const Runtime::Nested nested(runtime_);
  runtime_.step();
  return std::visit([&](const auto& node) { return visit(node, expression.position, scope); }, expression.node);
}

std::vector<Value> Interpreter::evaluate_all(const std::vector<ExpressionPtr>& expressions, const ScopePtr& scope) {
  std::vector<Value> values;
  values.reserve(expressions.size());
  for (const ExpressionPtr& expression : expressions) values.push_back(evaluate(expression, scope));
  return values;
}

Value Interpreter::visit(const Literal& node, Position, const ScopePtr&) { return node.value; }

Value Interpreter::visit(const Name& node, Position, const ScopePtr& scope) {
  if (const Value* value = scope->find(node.name)) return *value;
  if (const auto global = find_global(runtime_, node.name)) return *global;
  return runtime_.undefined('\'', node.name, "' is undefined");
}

Value Interpreter::visit(const ListDisplay& node, Position at, const ScopePtr& scope) {
  std::vector<Value> items = evaluate_all(node.items, scope);
  runtime_.at(at);
  return runtime_.list(std::move(items));
}

Value Interpreter::visit(const TupleDisplay& node, Position at, const ScopePtr& scope) {
  std::vector<Value> items = evaluate_all(node.items, scope);
  runtime_.at(at);
  return runtime_.tuple(std::move(items));
}

Value Interpreter::visit(const DictDisplay& node, Position at, const ScopePtr& scope) {
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& [key, value] : node.entries) {
    Value first = evaluate(key, scope);
    entries.emplace_back(std::move(first), evaluate(value, scope));
  }
  runtime_.at(at);
  return runtime_.dict(std::move(entries));
}

Value Interpreter::visit(const Unary& node, Position at, const ScopePtr& scope) {
  const Value operand = evaluate(node.operand, scope);
  runtime_.at(at);
  if (node.op == UnaryOperator::logical_not) return !truth(operand);
  return node.op == UnaryOperator::minus ? negate(runtime_, operand) : plus(runtime_, operand);
}

Value Interpreter::visit(const Binary& node, Position at, const ScopePtr& scope) {
  const Value left = evaluate(node.left, scope);
  const Value right = evaluate(node.right, scope);
  runtime_.at(at);
  return binary(runtime_, node.op, left, right);
}

Value Interpreter::visit(const Logical& node, Position, const ScopePtr& scope) {
  Value left = evaluate(node.left, scope);
  return truth(left) == node.is_and ? evaluate(node.right, scope) : left;
}

Value Interpreter::visit(const Concatenation& node, Position at, const ScopePtr& scope) {
  std::string text;
  for (const ExpressionPtr& part : node.parts) {
    const Value value = evaluate(part, scope);
    runtime_.at(at);
    const std::string piece = to_text(runtime_, value);
    runtime_.grow(text.size(), piece.size());
    text += piece;
  }
  return runtime_.text(std::move(text));
}

Value Interpreter::visit(const Comparison& node, Position at, const ScopePtr& scope) {
  Value left = evaluate(node.first, scope);
  for (const auto& [comparator, operand] : node.rest) {
    Value right = evaluate(operand, scope);
    runtime_.at(at);
    if (!compare(runtime_, comparator, left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::visit(const Conditional& node, Position at, const ScopePtr& scope) {
  if (truth(evaluate(node.test, scope))) return evaluate(node.when_true, scope);
  if (node.when_false != nullptr) return evaluate(node.when_false, scope);
  return runtime_.undefined("the inline if-expression on line ", at.line, " evaluated to false and has no else");
}

Value Interpreter::visit(const Attribute& node, Position at, const ScopePtr& scope) {
  const Value object = evaluate(node.object, scope);
  runtime_.at(at);
  return get_attribute(runtime_, object, node.name);
}

Value Interpreter::visit(const Subscript& node, Position at, const ScopePtr& scope) {
  const Value object = evaluate(node.object, scope);
  const Value index = evaluate(node.index, scope);
  runtime_.at(at);
  return get_item(runtime_, object, index);
}

Value Interpreter::visit(const Slice& node, Position at, const ScopePtr& scope) {
  const Value object = evaluate(node.object, scope);
  const auto bound = [&](const ExpressionPtr& expression) {
    return expression == nullptr ? Value(None{}) : evaluate(expression, scope);
  };
  const Value start = bound(node.start);
  const Value stop = bound(node.stop);
  const Value step = bound(node.step);
  runtime_.at(at);
  return get_slice(runtime_, object, start, stop, step);
}

Arguments Interpreter::evaluate_arguments(const CallArguments& arguments, const ScopePtr& scope) {
  Arguments result;
  result.positional = evaluate_all(arguments.positional, scope);
  for (const auto& [name, value] : arguments.named) result.named.emplace_back(name, evaluate(value, scope));
  if (arguments.sequence != nullptr) {
    for (Value& item : items_of(runtime_, evaluate(arguments.sequence, scope)))
      result.positional.push_back(std::move(item));
  }
  if (arguments.mapping == nullptr) return result;
  const Value mapping = evaluate(arguments.mapping, scope);
  const Dict* dict = as_dict(mapping);
  if (dict == nullptr) runtime_.fail("expected a dict behind ** but got ", type_name(mapping));
  for (const auto& [key, value] : dict->entries) {
    const std::string& name = expect_text(runtime_, key, "names as keys of the dict behind **");
    for (const auto& named : result.named) {
      if (named.first == name) runtime_.fail("expected the argument ", name, " once but got it twice");
    }
    result.named.emplace_back(name, value);
  }
  return result;
}

Value Interpreter::visit(const Call& node, Position at, const ScopePtr& scope) {
  return call(node, at, scope, nullptr);
}

// `caller`: what a call block hands over; null otherwise.
Value Interpreter::call(const Call& node, Position at, const ScopePtr& scope, const Value* caller) {
  const auto arguments = [&] {
    Arguments all = evaluate_arguments(node.arguments, scope);
    if (caller != nullptr) all.named.emplace_back("caller", *caller);
    runtime_.at(at);
    return all;
  };
  // A method that is called at once needs no object of its own.
  if (const auto* attribute = std::get_if<Attribute>(&node.callee->node)) {
    const Value self = evaluate(attribute->object, scope);
    runtime_.at(node.callee->position);
    if (const Method method = find_method(runtime_, self, attribute->name)) return method(runtime_, self, arguments());
    const Value callee = get_attribute(runtime_, self, attribute->name);
    return call_value(callee, arguments(), at);
  }
  const Value callee = evaluate(node.callee, scope);
  return call_value(callee, arguments(), at);
}

Value Interpreter::call_value(const Value& callee, const Arguments& arguments, Position at) {
  runtime_.at(at);
  expect_defined(runtime_, callee);
  Object* object = as_object(callee);
  if (object == nullptr) runtime_.fail("expected something to call but got ", type_name(callee));
  return object->call(runtime_, arguments);
}

Value Interpreter::visit(const Filter& node, Position at, const ScopePtr& scope) {
  const Value input = node.input == nullptr ? *block_text_ : evaluate(node.input, scope);
  const Arguments arguments = evaluate_arguments(node.arguments, scope);
  runtime_.at(at);
  return call_filter(node.name, input, arguments);
}

Value Interpreter::visit(const Test& node, Position at, const ScopePtr& scope) {
  const Value input = evaluate(node.input, scope);
  const Arguments arguments = evaluate_arguments(node.arguments, scope);
  runtime_.at(at);
  return call_test(node.name, input, arguments);
}

Value Interpreter::filter_text(const Expression& filter, Value text, const ScopePtr& scope) {
  const Value* const before = std::exchange(block_text_, &text);
  Value result = evaluate(filter, scope);
  block_text_ = before;
  return result;
}

}  // namespace xlstm::text::jinja
