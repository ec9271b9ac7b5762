// A text as a vector: the hidden states behind the final norm, the last one or their mean.
#pragma once

#include <exception>
#include <functional>
#include <future>
#include <span>
#include <string_view>
#include <vector>

#include "xlstm/base/token_id.h"
#include "xlstm/engine/service.h"

namespace xlstm::engine {

enum class Pooling { mean, last };

struct EmbedOptions {
  Pooling pooling = Pooling::mean;
  bool normalize = false;  // to length 1 (L2); a zero vector stays as it is
};

/// [embedding_dim] of `tokens`, read from a fresh state in segments; norm and mean in double. The lm_head times the
/// last hidden state gives the logits. callbacks: on_prefill and cancel (which throws cancelled) count. Errors:
/// invalid_argument (no token, an id outside the vocabulary), unsupported (a backend that cannot be observed: only cpu
/// and mlx-cpu can), overloaded (no memory for a state).
std::vector<float> embed(Engine& engine, std::span<const TokenId> tokens, const EmbedOptions& options,
                         const generation::Callbacks& callbacks = {});
/// Of a text, with the BOS that the model wants.
std::vector<float> embed(Engine& engine, std::string_view text, const EmbedOptions& options,
                         const generation::Callbacks& callbacks = {});
/// Beside the requests of a service, with the same bits: a segment between two steps, in a state of its pool. The
/// future throws the errors above, and std::future_error when the service ends before it.
std::future<std::vector<float>> embed(Service& service, std::vector<TokenId> tokens, const EmbedOptions& options);

/// The vector, or the fault.
using OnEmbedded = std::function<void(std::vector<float> found, std::exception_ptr fault)>;
/// The same without a future to wait for: `done` is called on the engine's thread, and must neither wait nor throw; not
/// at all when the service ends before.
void embed(Service& service, std::vector<TokenId> tokens, const EmbedOptions& options, OnEmbedded done);

}  // namespace xlstm::engine
