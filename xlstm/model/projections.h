// The linear layers of a block, whatever its kind.
#pragma once

#include <concepts>
#include <type_traits>

#include "xlstm/model/model.h"

namespace xlstm::model {

template <class T, class Kind>
concept IsKind = std::same_as<std::remove_const_t<T>, Kind>;

/// Calls f(linear) for every linear layer of a block but its gates, const as the block is.
template <IsKind<LargeBlock> B, class F>
void for_each_projection(B& block, F&& f) {
  for (auto* layer :
       {&block.q, &block.k, &block.v, &block.ogate, &block.out_proj, &block.ffn_gate, &block.ffn_up, &block.ffn_down}) {
    f(*layer);
  }
}

template <IsKind<ResearchMlstmBlock> B, class F>
void for_each_projection(B& block, F&& f) {
  f(block.proj_up);
  f(block.proj_down);
}

template <IsKind<ResearchSlstmBlock> B, class F>
void for_each_projection(B& block, F&& f) {
  if (!block.ffn) return;
  f(block.ffn->up);
  f(block.ffn->down);
}

}  // namespace xlstm::model
