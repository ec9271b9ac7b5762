#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/interpreter.h"
#include "xlstm/text/jinja/macro.h"
#include "xlstm/text/jinja/objects.h"
#include "xlstm/text/jinja/operators.h"

namespace xlstm::text::jinja {

Flow Interpreter::execute(const Body& body, const ScopePtr& scope, std::string& out) {
  const Runtime::Nested nested(runtime_);
  for (const Statement& statement : body) {
    runtime_.at(statement.position);
    runtime_.step();
    const Flow flow = std::visit([&](const auto& node) { return visit(node, scope, out); }, statement.node);
    if (flow != Flow::onward) return flow;
  }
  return Flow::onward;
}

void Interpreter::write(std::string_view text, std::string& out) {
  runtime_.work(text.size());
  const std::size_t most = runtime_.limits().output_bytes;
  if (text.size() > most || out.size() > most - text.size()) {
    runtime_.fail("expected at most ", most, " bytes of output but got more");
  }
  out += text;
}

Flow Interpreter::visit(const TextStatement& node, const ScopePtr&, std::string& out) {
  write(node.text, out);
  return Flow::onward;
}

Flow Interpreter::visit(const Output& node, const ScopePtr& scope, std::string& out) {
  const Value value = evaluate(node.value, scope);
  runtime_.at(node.value->position);
  if (const Text* text = as_text(value)) {
    write(text->utf8, out);
  } else {
    write(to_text(runtime_, value), out);
  }
  return Flow::onward;
}

Flow Interpreter::visit(const If& node, const ScopePtr& scope, std::string& out) {
  for (const auto& [test, body] : node.branches) {
    if (truth(evaluate(test, scope))) return execute(body, scope, out);
  }
  return execute(node.otherwise, scope, out);
}

Flow Interpreter::visit(const For& node, const ScopePtr& scope, std::string& out) {
  const Value iterable = evaluate(node.iterable, scope);
  runtime_.at(node.iterable->position);
  Loop::Accept accept;
  if (node.filter != nullptr) {
    accept = [this, &node, &scope](const Value& item) {
      const auto test_scope = std::make_shared<Scope>(scope);
      assign(node.target, item, test_scope);
      return truth(evaluate(node.filter, test_scope));
    };
  }
  Loop* const loop = runtime_.make<Loop>(runtime_, iterable, std::move(accept));
  // As in Jinja, {% else %} stands for "no body came to its end".
  bool any_completed = false;
  Flow flow = Flow::onward;
  for (Value item; flow != Flow::broken && loop->advance(item);) {
    runtime_.step();
    const auto iteration = std::make_shared<Scope>(scope);
    assign(node.target, item, iteration);
    iteration->names.insert_or_assign("loop", Value(loop));
    flow = execute(node.body, iteration, out);
    any_completed = any_completed || flow == Flow::onward;
  }
  loop->end();
  return any_completed ? Flow::onward : execute(node.otherwise, scope, out);
}

void Interpreter::assign(const Target& target, const Value& value, const ScopePtr& scope) {
  runtime_.at(target.position);
  if (target.is_tuple) {
    const std::vector<Value> items = items_of(runtime_, value);
    if (items.size() != target.items.size()) {
      runtime_.fail("expected ", target.items.size(), " values to unpack but got ", items.size());
    }
    for (std::size_t i = 0; i < items.size(); ++i) assign(target.items[i], items[i], scope);
    return;
  }
  if (target.attribute.empty()) {
    scope->names.insert_or_assign(target.name, value);
    return;
  }
  const Value* object = scope->find(target.name);
  auto* const thing = object == nullptr ? nullptr : as_object_of<Namespace>(*object);
  if (thing == nullptr) runtime_.fail("expected a namespace to assign an attribute to but got another value");
  thing->set(runtime_, target.attribute, value);
}

Flow Interpreter::visit(const Set& node, const ScopePtr& scope, std::string&) {
  assign(node.target, evaluate(node.value, scope), scope);
  return Flow::onward;
}

Flow Interpreter::visit(const SetBlock& node, const ScopePtr& scope, std::string&) {
  std::string text;
  const auto inner = std::make_shared<Scope>(scope);
  const Flow flow = execute(node.body, inner, text);
  if (flow != Flow::onward) return flow;
  Value value = runtime_.text(std::move(text));
  if (node.filter != nullptr) value = filter_text(*node.filter, std::move(value), inner);
  assign(node.target, value, scope);
  return Flow::onward;
}

Value Interpreter::make_macro(const Callable& callable, const ScopePtr& scope) {
  // The scope owns the macro's value, so the macro may not own the scope.
  runtime_.keep(scope);
  return runtime_.make<MacroObject>(*this, callable, *scope);
}

Flow Interpreter::visit(const Macro& node, const ScopePtr& scope, std::string&) {
  scope->names.insert_or_assign(node.callable.name, make_macro(node.callable, scope));
  return Flow::onward;
}

Flow Interpreter::visit(const CallBlock& node, const ScopePtr& scope, std::string& out) {
  const Value caller = make_macro(node.caller, scope);
  const Value text = call(std::get<Call>(node.call->node), node.call->position, scope, &caller);
  write(to_text(runtime_, text), out);
  return Flow::onward;
}

Flow Interpreter::visit(const FilterBlock& node, const ScopePtr& scope, std::string& out) {
  std::string text;
  const auto inner = std::make_shared<Scope>(scope);
  const Flow flow = execute(node.body, inner, text);
  if (flow != Flow::onward) return flow;
  const Value value = filter_text(*node.filter, runtime_.text(std::move(text)), inner);
  write(to_text(runtime_, value), out);
  return Flow::onward;
}

Flow Interpreter::visit(const With& node, const ScopePtr& scope, std::string& out) {
  const auto inner = std::make_shared<Scope>(scope);
  for (const auto& [target, expression] : node.variables) assign(target, evaluate(expression, scope), inner);
  return execute(node.body, inner, out);
}

Flow Interpreter::visit(const Break&, const ScopePtr&, std::string&) { return Flow::broken; }
Flow Interpreter::visit(const Continue&, const ScopePtr&, std::string&) { return Flow::continued; }

}  // namespace xlstm::text::jinja
