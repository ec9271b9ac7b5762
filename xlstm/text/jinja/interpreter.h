// Walks the syntax tree of a template and writes its text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "xlstm/text/jinja/ast.h"
#include "xlstm/text/jinja/runtime.h"

namespace xlstm::text::jinja {

/// Names and their values. A name that is not here is looked for around it; an assignment stays here.
struct Scope : std::enable_shared_from_this<Scope> {
  explicit Scope(std::shared_ptr<Scope> outer) : around(std::move(outer)) {}
  const Value* find(const std::string& name) const;

  std::shared_ptr<Scope> around;
  std::unordered_map<std::string, Value> names;
};
using ScopePtr = std::shared_ptr<Scope>;

/// How a body ended.
enum class Flow { onward, broken, continued };

class Interpreter : public NamedCalls {
 public:
  explicit Interpreter(Runtime& runtime) : runtime_(runtime) { runtime.named_calls = this; }

  /// Appends to `out` and leaves what the body sets in `scope`.
  Flow execute(const Body& body, const ScopePtr& scope, std::string& out);
  /// What a macro writes.
  Value call_macro(const Callable& macro, Scope& definition, const Arguments& arguments);

  Value call_filter(const std::string& name, const Value& input, const Arguments& arguments) override;
  bool call_test(const std::string& name, const Value& input, const Arguments& arguments) override;

 private:
  // evaluate.cpp
  Value evaluate(const Expression& expression, const ScopePtr& scope);
  Value evaluate(const ExpressionPtr& expression, const ScopePtr& scope) { return evaluate(*expression, scope); }
  Value visit(const Literal& node, Position at, const ScopePtr& scope);
  Value visit(const Name& node, Position at, const ScopePtr& scope);
  Value visit(const ListDisplay& node, Position at, const ScopePtr& scope);
  Value visit(const TupleDisplay& node, Position at, const ScopePtr& scope);
  Value visit(const DictDisplay& node, Position at, const ScopePtr& scope);
  Value visit(const Unary& node, Position at, const ScopePtr& scope);
  Value visit(const Binary& node, Position at, const ScopePtr& scope);
  Value visit(const Logical& node, Position at, const ScopePtr& scope);
  Value visit(const Concatenation& node, Position at, const ScopePtr& scope);
  Value visit(const Comparison& node, Position at, const ScopePtr& scope);
  Value visit(const Conditional& node, Position at, const ScopePtr& scope);
  Value visit(const Attribute& node, Position at, const ScopePtr& scope);
  Value visit(const Subscript& node, Position at, const ScopePtr& scope);
  Value visit(const Slice& node, Position at, const ScopePtr& scope);
  Value visit(const Call& node, Position at, const ScopePtr& scope);
  Value visit(const Filter& node, Position at, const ScopePtr& scope);
  Value visit(const Test& node, Position at, const ScopePtr& scope);
  std::vector<Value> evaluate_all(const std::vector<ExpressionPtr>& expressions, const ScopePtr& scope);
  Arguments evaluate_arguments(const CallArguments& arguments, const ScopePtr& scope);
  Value call(const Call& node, Position at, const ScopePtr& scope, const Value* caller);
  Value call_value(const Value& callee, const Arguments& arguments, Position at);
  Value filter_text(const Expression& filter, Value text, const ScopePtr& scope);

  // execute.cpp
  Flow visit(const TextStatement& node, const ScopePtr& scope, std::string& out);
  Flow visit(const Output& node, const ScopePtr& scope, std::string& out);
  Flow visit(const If& node, const ScopePtr& scope, std::string& out);
  Flow visit(const For& node, const ScopePtr& scope, std::string& out);
  Flow visit(const Set& node, const ScopePtr& scope, std::string& out);
  Flow visit(const SetBlock& node, const ScopePtr& scope, std::string& out);
  Flow visit(const Macro& node, const ScopePtr& scope, std::string& out);
  Flow visit(const CallBlock& node, const ScopePtr& scope, std::string& out);
  Flow visit(const FilterBlock& node, const ScopePtr& scope, std::string& out);
  Flow visit(const With& node, const ScopePtr& scope, std::string& out);
  Flow visit(const Break& node, const ScopePtr& scope, std::string& out);
  Flow visit(const Continue& node, const ScopePtr& scope, std::string& out);
  Value make_macro(const Callable& callable, const ScopePtr& scope);
  void assign(const Target& target, const Value& value, const ScopePtr& scope);
  void write(std::string_view text, std::string& out);

  Runtime& runtime_;
  const Value* block_text_ = nullptr;  // what the filters of a block work on
};

}  // namespace xlstm::text::jinja
