// How xlstm generate says what came of its request.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "xlstm/engine/service.h"

namespace xlstm::cli {

/// The end of a request: of one that was read and drawn in the plain loop, or of a submission.
struct Answer {
  std::vector<TokenId> prompt;
  std::size_t cached_tokens = 0;      // read by the state that it began with
  bool scored = false;                // samples have a score: best-of or beams
  std::optional<std::uint64_t> seed;  // of the first sample; none: nothing was drawn
  engine::Outcome outcome;            // at least one sample
};

/// One text while it is made, or its ids, parted by commas.
class OutputStream {
 public:
  explicit OutputStream(bool ids) : ids_(ids) {}
  void on_token(TokenId id);
  void on_text(std::string_view text);
  /// A line break, unless one was the last.
  void end();

 private:
  bool ids_;
  bool line_is_open_ = false;
};

/// Whether Ctrl-C ended one of the texts.
bool was_cancelled(const Answer& answer);
/// One object of a sample, or with `list` a list of those of all.
void print_json(const Answer& answer, bool list, const tokenizer::Tokenizer& tokenizer);
/// Each text, the best first; of several a line "--- 1 of 3, seed 7 ---" before each. With `ids` a line of ids each.
void print_texts(const Answer& answer, bool ids);
/// To standard error: what was read and drawn, and how fast.
void print_summary(const Answer& answer);

}  // namespace xlstm::cli
