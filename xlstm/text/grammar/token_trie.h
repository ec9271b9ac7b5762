// Byte strings of tokens as a tree in flat arrays, to be walked beside an automaton.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "xlstm/text/grammar/automaton.h"

namespace xlstm::text::grammar {

/// Immutable. Nodes stand in preorder: the subtree of node i is [i, node(i).end), and its tokens are
/// ids()[node(i).first_id, node(node(i).end).first_id).
class TokenTrie {
 public:
  struct Token {
    std::string_view bytes;
    std::uint32_t id;
  };
  struct Node {
    std::uint32_t end;       // the node behind the subtree
    std::uint32_t first_id;  // of the tokens that end at this node; they end before node(i + 1).first_id
    std::uint16_t depth;     // number of bytes on the way to it, at least 1
    std::uint8_t byte;       // the last of them
  };

  TokenTrie() : TokenTrie(std::vector<Token>{}) {}
  /// Empty byte strings are left out. REQUIRES: none has more than kMaxTokenBytes.
  explicit TokenTrie(std::vector<Token> tokens);

  std::size_t num_nodes() const noexcept { return nodes_.size() - 1; }
  /// REQUIRES: i <= num_nodes(); the last one is only there for its first_id.
  const Node& node(std::size_t i) const noexcept { return nodes_[i]; }
  /// Tokens that end at the node.
  std::span<const std::uint32_t> ids_at(std::size_t i) const noexcept {
    return std::span(ids_).subspan(nodes_[i].first_id, nodes_[i + 1].first_id - nodes_[i].first_id);
  }
  /// Tokens that end in the node's subtree, the node included.
  std::span<const std::uint32_t> ids_below(std::size_t i) const noexcept {
    return std::span(ids_).subspan(nodes_[i].first_id, nodes_[nodes_[i].end].first_id - nodes_[i].first_id);
  }
  /// Bytes that occur below the node.
  const ByteSet& bytes_below(std::size_t i) const noexcept { return bytes_below_[i]; }

 private:
  std::vector<Node> nodes_;
  std::vector<ByteSet> bytes_below_;
  std::vector<std::uint32_t> ids_;
};

}  // namespace xlstm::text::grammar
