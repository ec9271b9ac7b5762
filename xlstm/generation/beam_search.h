// Beam search: the most probable texts that a search keeping so many at a time finds, as Hugging Face transformers
// defines it. The host's side alone: who calls it decodes the beams and hands their states on.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "xlstm/generation/sequence.h"

namespace xlstm::generation {

/// When a search with num_beams ended texts ends, whose worst is compared with the best running beam's sum.
enum class EarlyStopping {
  no,     // when that sum / its length now ^ length_penalty is no better
  yes,    // at once
  never,  // when it is no better even at the best length it could have: max_tokens if length_penalty > 0
};

struct BeamParams {
  std::size_t num_beams = 0;    // 0: no beam search
  double length_penalty = 1.0;  // a text's score is the sum of its log-probabilities / its ids ^ length_penalty
  EarlyStopping early_stopping = EarlyStopping::no;
};

/// Of a search (num_beams > 0). Errors: invalid_argument naming what contradicts one: temperature other than 0, a
/// filter, a penalty, max_tokens below 1, a length_penalty that is not finite.
void validate(const BeamParams& params, const Request& request);

/// Ids that may follow a beam, the best first, and what Request::logprobs asks for.
struct BeamCandidates {
  struct Candidate {
    TokenId id = 0;
    double logprob = 0;  // the model's
    double score = 0;    // with the bias
  };
  std::vector<Candidate> best;
  std::vector<IdLogProb> top;
};

/// A text that the search gives back.
struct Hypothesis {
  Result result;  // timings and state_tokens are left to the caller
  double score = 0;
};

/// A stop id, a stop string or max_tokens ends a text; only the num_beams best continuations of a step can end one.
/// Log-probabilities are the model's; logit bias is added to them, and ids that may not be drawn (beyond the tokenizer,
/// banned, stop ids before min_tokens) are left out. Of equal scores the earlier beam, then the lower id goes first.
/// Not thread-safe.
class BeamSearch {
 public:
  /// REQUIRES: validate() threw nothing. The tokenizer must outlive it.
  BeamSearch(const tokenizer::Tokenizer& tokenizer, const Request& request, const BeamParams& params);

  /// From logits [V] of a running beam. Errors: internal (logits that are not numbers).
  BeamCandidates candidates(std::span<const float> logits) const;

  /// A running beam: the beam before it, and the id by which it grew.
  struct Move {
    std::size_t parent = 0;
    TokenId id = 0;
  };
  /// One step of the search, from the candidates of all running beams in order (at first of one: the prompt). Returns
  /// those that run on, the best first; none: the search has ended. REQUIRES: not ended.
  std::vector<Move> advance(std::span<const BeamCandidates> candidates);

  bool ended() const noexcept { return ended_; }
  /// The `count` best (fewer, if there are fewer); of a search that has not ended the running beams come last, as
  /// cancelled.
  std::vector<Hypothesis> hypotheses(std::size_t count) const;

 private:
  struct Beam {
    Sequence sequence;
    Result result;
    double sum = 0;
    void grow(const BeamCandidates::Candidate& candidate, const std::vector<IdLogProb>& top, bool logprobs);
  };
  struct Choice {
    std::size_t parent = 0;
    const BeamCandidates::Candidate* candidate = nullptr;
    double sum = 0;
  };
  std::vector<Choice> best_choices(std::span<const BeamCandidates> candidates) const;
  void keep_ended(Beam beam);
  bool is_over() const;
  double score(double sum, std::size_t length) const;

  BeamParams params_;
  std::int64_t max_tokens_, min_tokens_, logprobs_;
  std::vector<TokenId> stop_ids_;
  std::vector<std::pair<TokenId, float>> bias_;
  std::size_t vocab_limit_, drawn_before_, kept_;  // kept_: choices of a step that are looked at
  std::size_t length_ = 0;                         // ids of a running beam
  std::vector<Beam> running_;                      // the best first
  std::vector<Hypothesis> finished_;               // the best first, num_beams at most
  bool ended_ = false;
};

}  // namespace xlstm::generation
