// The keywords of a request: one table for generate, stream, submit and batch.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <string>

#include "xlstm/engine/service.h"

namespace nb = nanobind;

namespace xlstm::python {

struct RequestOptions {
  engine::Submission submission;  // without prompt, start and constraint
  bool own_seed = false;          // one was given
  bool keep_state = false;
  std::string draft;  // "ngram" or a directory; empty: none
  std::size_t draft_tokens = generation::Speculation{}.tokens;
  std::optional<engine::Constraint> constraint;
};

enum class Runner { model, service };

/// Errors: TypeError (a keyword that this runner does not have, or a value of another type), InvalidArgumentError (two
/// constraints at once). What values may be is checked with the request.
RequestOptions read_request(const nb::dict& keywords, Runner runner, const engine::Engine& engine);

/// A request without a prompt goes on where the session was left: with its seed and draws, or anew with a seed of its
/// own. Errors: invalid_argument (a session without logits).
void resume(generation::Request& request, const engine::Session& session, bool own_seed);

}  // namespace xlstm::python
