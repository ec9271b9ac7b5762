#include "xlstm/text/jinja/ast.h"

#include <algorithm>

namespace xlstm::text::jinja {
namespace {

int depth_of(const ExpressionPtr& expression) { return expression == nullptr ? 0 : expression->depth; }

template <class... Rest>
int deepest(const ExpressionPtr& first, const Rest&... rest) {
  int depth = depth_of(first);
  ((depth = std::max(depth, depth_of(rest))), ...);
  return depth;
}
int deepest(const std::vector<ExpressionPtr>& expressions) {
  int depth = 0;
  for (const ExpressionPtr& expression : expressions) depth = std::max(depth, depth_of(expression));
  return depth;
}
int deepest(const CallArguments& arguments) {
  int depth = std::max(deepest(arguments.positional), deepest(arguments.sequence, arguments.mapping));
  for (const auto& [name, value] : arguments.named) depth = std::max(depth, depth_of(value));
  return depth;
}

int children_depth(const Literal&) { return 0; }
int children_depth(const Name&) { return 0; }
int children_depth(const ListDisplay& node) { return deepest(node.items); }
int children_depth(const TupleDisplay& node) { return deepest(node.items); }
int children_depth(const DictDisplay& node) {
  int depth = 0;
  for (const auto& [key, value] : node.entries) depth = std::max(depth, deepest(key, value));
  return depth;
}
int children_depth(const Unary& node) { return deepest(node.operand); }
int children_depth(const Binary& node) { return deepest(node.left, node.right); }
int children_depth(const Logical& node) { return deepest(node.left, node.right); }
int children_depth(const Concatenation& node) { return deepest(node.parts); }
int children_depth(const Comparison& node) {
  int depth = deepest(node.first);
  for (const auto& [op, operand] : node.rest) depth = std::max(depth, depth_of(operand));
  return depth;
}
int children_depth(const Conditional& node) { return deepest(node.test, node.when_true, node.when_false); }
int children_depth(const Attribute& node) { return deepest(node.object); }
int children_depth(const Subscript& node) { return deepest(node.object, node.index); }
int children_depth(const Slice& node) { return deepest(node.object, node.start, node.stop, node.step); }
int children_depth(const Call& node) { return std::max(deepest(node.callee), deepest(node.arguments)); }
int children_depth(const Filter& node) { return std::max(deepest(node.input), deepest(node.arguments)); }
int children_depth(const Test& node) { return std::max(deepest(node.input), deepest(node.arguments)); }

}  // namespace

int deepest_child(const ExpressionNode& node) {
  return std::visit([](const auto& kind) { return children_depth(kind); }, node);
}

}  // namespace xlstm::text::jinja
