#include "xlstm/engine/constraint.h"

#include <algorithm>

#include "xlstm/base/error.h"
#include "xlstm/engine/front_end.h"
#include "xlstm/text/grammar/compile.h"

namespace xlstm::engine {
namespace {

using text::grammar::CompiledGrammar;

/// Masks made before the first step asks for them: some tenths of a second at 50,000 tokens. A grammar with more makes
/// each when it is met.
constexpr std::size_t kMostWarmMasks = 1024;

CompiledGrammar compile(const Constraint& constraint) {
  switch (constraint.kind) {
    case Constraint::Kind::gbnf:
      return text::grammar::compile_gbnf(constraint.source);
    case Constraint::Kind::regex:
      return text::grammar::compile_regex(constraint.source);
    case Constraint::Kind::json_schema:
      return text::grammar::compile_json_schema(constraint.source);
    case Constraint::Kind::json_object:
      return text::grammar::compile_json();
  }
  fail(ErrorCode::internal, "constraint", "expected a kind of constraint but got number ", int(constraint.kind));
}

}  // namespace

SharedMasks Constraints::get(const Constraint& constraint) {
  if (SharedMasks masks = find(constraint)) return masks;
  SharedMasks made = make(constraint);
  if (SharedMasks masks = find(constraint)) return masks;  // another thread was faster
  const std::lock_guard lock(mutex_);
  kept_.push_front({constraint, made});
  if (kept_.size() > kMostKept) kept_.pop_back();
  return made;
}

SharedMasks Constraints::find(const Constraint& constraint) {
  const std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(kept_.begin(), kept_.end(), [&](const Entry& entry) { return entry.constraint == constraint; });
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return found->masks;
}

SharedMasks Constraints::make(const Constraint& constraint) {
  CompiledGrammar grammar = compile(constraint);
  std::call_once(vocabulary_once_, [this] { vocabulary_ = make_vocabulary(tokenizer_); });
  auto masks = std::make_shared<const text::grammar::TokenMasks>(std::move(grammar), vocabulary_);
  if (masks->num_masks() <= kMostWarmMasks) masks->warm_up();
  return masks;
}

std::size_t Constraints::size() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

}  // namespace xlstm::engine
