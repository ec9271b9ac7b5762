// Guesses of the tokens that come next, for speculative decoding. A wrong guess costs time, never a bit.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "xlstm/base/token_id.h"

namespace xlstm::generation {

/// Where guesses come from. Not thread-safe.
class Draft {
 public:
  virtual ~Draft() = default;
  /// At most `most` ids that may follow `text`, all ids of the sequence so far (at least one). Each text of a request
  /// begins with the one before. Errors: those of whatever makes the guess; they end the request.
  virtual std::vector<TokenId> propose(std::span<const TokenId> text, std::size_t most) = 0;
};

}  // namespace xlstm::generation
