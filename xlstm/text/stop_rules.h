// When a stream of text ends: stop strings found across pieces, text held back while one may still be coming.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xlstm::text {

/// Feeds on pieces of text, gives back what is safe to show. Not thread-safe.
class StopMatcher {
 public:
  /// Empty strings are refused: invalid_argument.
  explicit StopMatcher(std::vector<std::string> stop_strings);
  /// Text that can no longer be part of a stop string. After a match: the text before it, then nothing ever again.
  /// The earliest match wins; among matches at one place the longest does not matter, text before it is the same.
  std::string push(std::string_view piece);
  /// What was held back, when the stream ends without a match.
  std::string finish();
  bool stopped() const noexcept { return stopped_; }
  /// The stop string that matched; empty if none.
  const std::string& matched() const noexcept { return matched_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  std::string matched_;
  bool stopped_ = false;
};

}  // namespace xlstm::text
