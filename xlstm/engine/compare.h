// How far one model's predictions are from another's, on the same text.
#pragma once

#include <span>
#include <vector>

#include "xlstm/base/token_id.h"
#include "xlstm/engine/engine.h"
#include "xlstm/generation/generate.h"

namespace xlstm::engine {

/// Of tokens - 1 predictions each.
struct Comparison {
  Perplexity reference, other;
  double mean_kl = 0, max_kl = 0;  // KL(reference || other) of a prediction, nats
  double top1_agreement = 0;       // share of predictions whose most probable id is the same (of equal ones the lowest)
  /// |x - y| / |x| of the residual streams x of the reference and y of the other, both over all tokens: behind the
  /// embedding, then behind each block. Empty unless asked for.
  std::vector<double> layer_errors;
};

/// Both read `tokens` (at least two) as one unbroken sequence from a fresh state, in turns of a prefill segment.
/// Memory: the logits of a segment, and with `layers` its residual streams. callbacks: on_prefill and cancel count.
/// Errors: invalid_argument (another vocabulary or tokenizer; with `layers` another number of blocks or width),
/// unsupported
/// (`layers` with a backend that cannot be observed).
Comparison compare(Engine& reference, Engine& other, std::span<const TokenId> tokens, bool layers,
                   const generation::Callbacks& callbacks = {});

}  // namespace xlstm::engine
