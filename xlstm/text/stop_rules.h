// When a stream of text ends: stop strings found across pieces, text held back while one may still be coming.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace xlstm::text {

/// Feeds on pieces of text, gives back what is safe to show. How the text is cut into pieces changes nothing but when
/// it comes out. The match that is complete first wins, so that no token is generated beyond it; of several complete at
/// the same byte, the longest. Linear time: one automaton (Aho-Corasick) for all stop strings; held back is at most the
/// longest of them less a byte. Not thread-safe.
class StopMatcher {
 public:
  /// Empty strings are refused: invalid_argument.
  explicit StopMatcher(const std::vector<std::string>& stop_strings);
  /// Text that can no longer be part of a stop string. After a match: the text before it, then nothing ever again.
  /// Never ends inside a UTF-8 character if pieces and stop strings do not.
  std::string push(std::string_view piece);
  /// What was held back, when the stream ends without a match.
  std::string finish();
  bool stopped() const noexcept { return stopped_; }
  /// The stop string that matched; empty if none.
  const std::string& matched() const noexcept { return matched_; }

 private:
  // A node stands for the text on the way to it: a beginning of some stop string, and the longest one that the text
  // read so far ends with. Its depth is what must be held back.
  struct Node {
    std::map<char, std::uint32_t> next;
    std::uint32_t fallback = 0;    // the node of the longest proper ending that is also a beginning
    std::size_t depth = 0;         // bytes
    std::size_t match_length = 0;  // of the longest stop string that ends here; 0: none
  };
  void insert(const std::string& stop);
  void link();
  std::uint32_t advance(std::uint32_t node, char byte) const;

  std::vector<Node> nodes_;
  std::uint32_t node_ = 0;
  std::string held_;  // nodes_[node_].depth bytes
  std::string matched_;
  bool stopped_ = false;
};

}  // namespace xlstm::text
