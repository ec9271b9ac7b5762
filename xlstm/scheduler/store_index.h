// Which snapshots a directory holds, by what they have read.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "xlstm/base/token_id.h"
#include "xlstm/scheduler/store_name.h"

namespace xlstm::scheduler {

/// One name for any ids: the best. Not thread-safe.
class StoreIndex {
 public:
  /// Returns the name that is left out of the index for it: its own, if a better one is there.
  std::optional<StoreName> add(const StoreName& name);
  void remove(const StoreName& name);
  /// Whether a name for the same ids covers it.
  bool has(const StoreName& name) const;
  /// Of the longest beginning of `ids` that is longer than `longer_than` and usable: logits where it is all of them;
  /// exact: aligned, up to a multiple of `segment` or to the end.
  std::optional<StoreName> find(std::span<const TokenId> ids, std::size_t longer_than, bool exact,
                                std::size_t segment) const;
  std::size_t size() const noexcept { return size_; }

 private:
  const StoreName* at(std::size_t tokens, const std::string& ids) const;

  std::map<std::size_t, std::unordered_map<std::string, StoreName>> names_;  // by tokens, then IdsHash
  std::size_t size_ = 0;
};

}  // namespace xlstm::scheduler
