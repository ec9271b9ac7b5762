// The name of a snapshot's file: all that an index has to know, so that no file is opened to build one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "xlstm/base/ids_hash.h"

namespace xlstm::scheduler {

/// OWNER-IDS-TOKENS-FLAGS.xst: 32 hex digits over all that a state belongs to, 32 of IdsHash, decimal, then `a`
/// (aligned: the bits of a prefill) or `o` (other) and `l` (with logits) or `n`.
struct StoreName {
  std::string owner, ids;
  std::size_t tokens = 0;
  bool aligned = false, logits = false;

  std::string text() const;
  /// Nothing when it is no such name.
  static std::optional<StoreName> parse(std::string_view text);
  bool operator==(const StoreName&) const = default;
  /// Serves everybody whom `other`, a name of the same ids, serves.
  bool covers(const StoreName& other) const noexcept;
};

}  // namespace xlstm::scheduler
