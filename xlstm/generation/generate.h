// One request: the plain loop that defines the right answer.
#pragma once

#include "xlstm/backend/backend.h"
#include "xlstm/generation/request.h"
#include "xlstm/generation/speculation.h"
#include "xlstm/tokenizer/tokenizer.h"

namespace xlstm::generation {

/// Prefills, then samples and decodes until a stop rule, max_tokens or cancel. `state` is advanced.
/// A decode step is made only for a token that is wanted, so the state has never consumed the last id of the result,
/// unless the request is resumable. Ids at or beyond the tokenizer's size are never chosen. With a draft the result is
/// the same, id for id and bit for bit. Errors: those of validate(), of Sequence and of SpeculativeSteps, before the
/// state changes; those of Sequence::next() and of the draft.
Result generate(backend::Backend& backend, backend::State& state, const tokenizer::Tokenizer& tokenizer,
                const Request& request, const Callbacks& callbacks = {}, const Speculation& speculation = {});

/// The same, kept in `result` as it goes: when something throws half-way (a callback, the sampler), `result` still says
/// what was generated and how many tokens the state has consumed.
void generate(backend::Backend& backend, backend::State& state, const tokenizer::Tokenizer& tokenizer,
              const Request& request, const Callbacks& callbacks, Result& result, const Speculation& speculation = {});

}  // namespace xlstm::generation
