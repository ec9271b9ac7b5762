#include "xlstm/text/grammar/token_trie.h"

#include <algorithm>

namespace xlstm::text::grammar {

TokenTrie::TokenTrie(std::vector<Token> tokens) {
  std::sort(tokens.begin(), tokens.end(), [](const Token& a, const Token& b) { return a.bytes < b.bytes; });
  std::string_view previous;
  std::vector<std::uint32_t> path;  // the open nodes, one for each byte of `previous`
  const auto close = [&](std::size_t depth) {
    while (path.size() > depth) {
      const std::uint32_t node = path.back();
      path.pop_back();
      nodes_[node].end = static_cast<std::uint32_t>(nodes_.size());
      if (path.empty()) continue;
      bytes_below_[path.back()] |= bytes_below_[node];
      bytes_below_[path.back()].set(nodes_[node].byte);
    }
  };
  for (const Token& token : tokens) {
    if (token.bytes.empty()) continue;
    const auto differ = std::mismatch(previous.begin(), previous.end(), token.bytes.begin(), token.bytes.end());
    close(static_cast<std::size_t>(differ.first - previous.begin()));
    while (path.size() < token.bytes.size()) {
      const auto byte = static_cast<std::uint8_t>(token.bytes[path.size()]);
      path.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.push_back({0, static_cast<std::uint32_t>(ids_.size()), static_cast<std::uint16_t>(path.size()), byte});
      bytes_below_.emplace_back();
    }
    ids_.push_back(token.id);
    previous = token.bytes;
  }
  close(0);
  const auto count = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({count, static_cast<std::uint32_t>(ids_.size()), 0, 0});
}

}  // namespace xlstm::text::grammar
