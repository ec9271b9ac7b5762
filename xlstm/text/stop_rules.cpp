#include "xlstm/text/stop_rules.h"

#include <deque>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::text {

StopMatcher::StopMatcher(const std::vector<std::string>& stop_strings) : nodes_(1) {
  for (const std::string& stop : stop_strings) insert(stop);
  link();
}

void StopMatcher::insert(const std::string& stop) {
  if (stop.empty())
    fail(ErrorCode::invalid_argument, "stop", "expected a stop string of at least one byte but got \"\"");
  std::uint32_t node = 0;
  for (const char byte : stop) {
    const auto [edge, is_new] = nodes_[node].next.emplace(byte, static_cast<std::uint32_t>(nodes_.size()));
    const std::uint32_t child = edge->second;
    if (is_new) {
      const std::size_t depth = nodes_[node].depth + 1;
      nodes_.emplace_back().depth = depth;
    }
    node = child;
  }
  nodes_[node].match_length = stop.size();
}

// Breadth first: a fallback is shallower than its node, so it is ready when it is needed.
void StopMatcher::link() {
  std::deque<std::uint32_t> queue = {0};
  for (; !queue.empty(); queue.pop_front()) {
    const std::uint32_t parent = queue.front();
    for (const auto& [byte, child] : nodes_[parent].next) {
      Node& node = nodes_[child];
      node.fallback = parent == 0 ? 0 : advance(nodes_[parent].fallback, byte);
      if (node.match_length == 0) node.match_length = nodes_[node.fallback].match_length;
      queue.push_back(child);
    }
  }
}

std::uint32_t StopMatcher::advance(std::uint32_t node, char byte) const {
  while (true) {
    const auto edge = nodes_[node].next.find(byte);
    if (edge != nodes_[node].next.end()) return edge->second;
    if (node == 0) return 0;
    node = nodes_[node].fallback;
  }
}

std::string StopMatcher::push(std::string_view piece) {
  if (stopped_) return {};
  std::string text = std::exchange(held_, {});
  for (const char byte : piece) {
    text += byte;
    node_ = advance(node_, byte);
    if (const std::size_t length = nodes_[node_].match_length; length != 0) {
      matched_ = text.substr(text.size() - length);
      text.resize(text.size() - length);
      stopped_ = true;
      return text;
    }
  }
  const std::size_t safe = text.size() - nodes_[node_].depth;
  held_ = text.substr(safe);
  text.resize(safe);
  return text;
}

std::string StopMatcher::finish() {
  node_ = 0;
  return std::exchange(held_, {});
}

}  // namespace xlstm::text
