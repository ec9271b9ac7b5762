#include "xlstm/scheduler/store_index.h"

#include <utility>

#include "xlstm/base/ids_hash.h"

namespace xlstm::scheduler {

const StoreName* StoreIndex::at(std::size_t tokens, const std::string& ids) const {
  const auto length = names_.find(tokens);
  if (length == names_.end()) return nullptr;
  const auto found = length->second.find(ids);
  return found == length->second.end() ? nullptr : &found->second;
}

std::optional<StoreName> StoreIndex::add(const StoreName& name) {
  const auto [place, is_new] = names_[name.tokens].emplace(name.ids, name);
  if (is_new) {
    ++size_;
    return std::nullopt;
  }
  if (place->second == name) return std::nullopt;
  // Bits that serve more requests matter more than logits, which a step can make.
  const bool better = name.aligned != place->second.aligned ? name.aligned : name.logits;
  return better ? std::exchange(place->second, name) : name;
}

void StoreIndex::remove(const StoreName& name) {
  const StoreName* found = at(name.tokens, name.ids);
  if (found == nullptr || *found != name) return;
  const auto length = names_.find(name.tokens);
  length->second.erase(std::string(name.ids));
  if (length->second.empty()) names_.erase(length);
  --size_;
}

bool StoreIndex::has(const StoreName& name) const {
  const StoreName* found = at(name.tokens, name.ids);
  return found != nullptr && found->covers(name);
}

std::optional<StoreName> StoreIndex::find(std::span<const TokenId> ids, std::size_t longer_than, bool exact,
                                          std::size_t segment) const {
  std::optional<StoreName> best;
  IdsHash hash;
  std::size_t read = 0;
  for (const auto& [tokens, names] : names_) {
    if (tokens > ids.size()) break;
    hash = hash.extended(ids.subspan(read, tokens - read));
    read = tokens;
    if (tokens <= longer_than) continue;
    const auto found = names.find(hash.hex());
    if (found == names.end()) continue;
    const StoreName& name = found->second;
    const bool at_end = tokens == ids.size();
    if (at_end && !name.logits) continue;
    if (exact && !(name.aligned && (at_end || tokens % segment == 0))) continue;
    best = name;
  }
  return best;
}

}  // namespace xlstm::scheduler
