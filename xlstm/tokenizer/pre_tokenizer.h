// Cutting text into the pieces that byte pairs may not cross.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/tokenizer/gpt2_scanner.h"
#include "xlstm/tokenizer/regex_splitter.h"
#include "xlstm/tokenizer/spec.h"

namespace xlstm::tokenizer {

/// The steps of a spec, one after the other. Immutable; safe from any thread.
class PreTokenizer {
 public:
  /// Errors: those of RegexSplitter.
  PreTokenizer(const std::vector<SplitStep>& steps, std::string_view where) {
    for (const SplitStep& step : steps) {
      const bool literal = step.kind == SplitStep::Kind::literal;
      std::optional<RegexSplitter> regex;
      if (literal || step.kind == SplitStep::Kind::regex) regex.emplace(step.pattern, literal, where);
      steps_.push_back({step.kind, std::move(regex)});
    }
  }

  /// Calls sink(std::string_view) for each non-empty piece in order; the view lives during the call.
  template <class Sink>
  void split(std::string_view text, const Sink& sink) const {
    split_from(0, text, sink);
  }

 private:
  struct Step {
    SplitStep::Kind kind;
    std::optional<RegexSplitter> regex;
  };

  template <class Sink>
  void split_from(std::size_t index, std::string_view text, const Sink& sink) const {
    if (text.empty()) return;
    if (index == steps_.size()) return sink(text);
    const Step& step = steps_[index];
    if (step.kind == SplitStep::Kind::gpt2) {
      Gpt2Scanner scanner(text);
      for (auto piece = scanner.next(); !piece.empty(); piece = scanner.next()) split_from(index + 1, piece, sink);
    } else if (step.kind == SplitStep::Kind::prefix_space) {
      if (text.front() == ' ') return split_from(index + 1, text, sink);
      split_from(index + 1, std::string(" ").append(text), sink);
    } else {
      step.regex->split(text, [&](std::string_view piece) { split_from(index + 1, piece, sink); });
    }
  }

  std::vector<Step> steps_;
};

}  // namespace xlstm::tokenizer
