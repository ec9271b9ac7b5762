#include "xlstm/generation/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::generation {
namespace {

void expect(bool holds, const char* what, const char* expected, double found) {
  if (holds) return;
  fail(ErrorCode::invalid_argument, what, "expected ", expected, " with num_beams but got ", found);
}

}  // namespace

void validate(const BeamParams& params, const Request& request) {
  const sampling::SamplingParams& sampling = request.sampling;
  expect(sampling.temperature == 0, "temperature", "0", sampling.temperature);
  expect(sampling.top_k == 0, "top_k", "0", static_cast<double>(sampling.top_k));
  expect(sampling.top_p == 1, "top_p", "1", sampling.top_p);
  expect(sampling.min_p == 0, "min_p", "0", sampling.min_p);
  expect(sampling.repetition_penalty == 1, "repetition_penalty", "1", sampling.repetition_penalty);
  expect(sampling.frequency_penalty == 0, "frequency_penalty", "0", sampling.frequency_penalty);
  expect(sampling.presence_penalty == 0, "presence_penalty", "0", sampling.presence_penalty);
  expect(request.max_tokens >= 1, "max_tokens", ">= 1", static_cast<double>(request.max_tokens));
  if (request.constraint) {
    fail(ErrorCode::invalid_argument, "num_beams", "expected no grammar with beams: what they choose is not masked");
  }
  expect(std::isfinite(params.length_penalty), "length_penalty", "a finite number", params.length_penalty);
}

BeamSearch::BeamSearch(const tokenizer::Tokenizer& tokenizer, const Request& request, const BeamParams& params)
    : params_(params),
      max_tokens_(request.max_tokens),
      min_tokens_(request.min_tokens),
      logprobs_(request.logprobs),
      stop_ids_(request.stop_ids),
      bias_(request.sampling.logit_bias),
      vocab_limit_(tokenizer.vocab_size()),
      drawn_before_(request.drawn),
      // So many that num_beams are left when every beam's stop ids are among the best.
      kept_(params.num_beams * (1 + std::max<std::size_t>(1, request.stop_ids.size()))) {
  running_.push_back({Sequence(tokenizer, request), {}, 0});
}

BeamCandidates BeamSearch::candidates(std::span<const float> logits) const {
  std::map<TokenId, double> changes;
  for (const auto& [id, amount] : bias_) changes[id] += amount;
  if (static_cast<std::int64_t>(drawn_before_ + length_) < min_tokens_) {
    for (const TokenId id : stop_ids_) changes[id] = -std::numeric_limits<double>::infinity();
  }
  const std::size_t padding = logits.size() - std::min(logits.size(), vocab_limit_);
  const auto best = sampling::top_log_probabilities(logits, kept_ + changes.size() + padding);
  const auto allowed = [&](TokenId id) { return id >= 0 && static_cast<std::size_t>(id) < logits.size() - padding; };

  BeamCandidates found;
  for (const auto& [id, logprob] : best) {
    if (allowed(id) && !changes.contains(id)) found.best.push_back({id, logprob, logprob});
  }
  for (const auto& [id, change] : changes) {
    if (!allowed(id)) continue;
    const double logprob = sampling::log_probability(logits, id);
    found.best.push_back({id, logprob, logprob + change});
  }
  std::erase_if(found.best, [](const auto& candidate) { return !std::isfinite(candidate.score); });
  std::sort(found.best.begin(), found.best.end(),
            [](const auto& a, const auto& b) { return std::tuple(-a.score, a.id) < std::tuple(-b.score, b.id); });
  found.best.resize(std::min(found.best.size(), kept_));
  if (logprobs_ > 0) {
    for (const auto& [id, logprob] : sampling::top_log_probabilities(logits, static_cast<std::size_t>(logprobs_))) {
      found.top.push_back({id, logprob});
    }
  }
  return found;
}

void BeamSearch::Beam::grow(const BeamCandidates::Candidate& candidate, const std::vector<IdLogProb>& top,
                            bool logprobs) {
  std::optional<TokenLogProbs> known;
  if (logprobs) known = {candidate.logprob, top};
  Token token = sequence.accept(candidate.id, std::move(known));
  result.ids.push_back(token.id);
  result.text += token.text;
  if (token.logprobs) result.logprobs.push_back(std::move(*token.logprobs));
}

/// The best continuations of all beams together.
std::vector<BeamSearch::Choice> BeamSearch::best_choices(std::span<const BeamCandidates> candidates) const {
  std::vector<Choice> choices;
  for (std::size_t parent = 0; parent < candidates.size(); ++parent) {
    for (const auto& candidate : candidates[parent].best) {
      choices.push_back({parent, &candidate, running_[parent].sum + candidate.score});
    }
  }
  std::sort(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) {
    return std::tuple(-a.sum, a.parent, a.candidate->id) < std::tuple(-b.sum, b.parent, b.candidate->id);
  });
  choices.resize(std::min(choices.size(), kept_));
  return choices;
}

std::vector<BeamSearch::Move> BeamSearch::advance(std::span<const BeamCandidates> candidates) {
  XLSTM_CHECK(!ended_ && candidates.size() == running_.size());
  ++length_;
  std::vector<Beam> next;
  std::vector<Move> moves;
  const std::vector<Choice> choices = best_choices(candidates);
  for (std::size_t rank = 0; rank < choices.size(); ++rank) {
    if (rank >= params_.num_beams && next.size() >= params_.num_beams) break;
    const Choice& choice = choices[rank];
    Beam beam = running_[choice.parent];
    beam.sum = choice.sum;
    beam.grow(*choice.candidate, candidates[choice.parent].top, logprobs_ >= 0);
    if (!beam.sequence.ended()) {
      if (next.size() >= params_.num_beams) continue;
      next.push_back(std::move(beam));
      moves.push_back({choice.parent, choice.candidate->id});
    } else if (rank < params_.num_beams) {
      keep_ended(std::move(beam));
    }
  }
  running_ = std::move(next);
  ended_ = is_over();
  if (ended_) moves.clear();
  return moves;
}

void BeamSearch::keep_ended(Beam beam) {
  beam.result.finish_reason = beam.sequence.finish_reason();
  Hypothesis made{std::move(beam.result), score(beam.sum, length_)};
  const auto place = std::upper_bound(finished_.begin(), finished_.end(), made,
                                      [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
  finished_.insert(place, std::move(made));
  if (finished_.size() > params_.num_beams) finished_.pop_back();
}

bool BeamSearch::is_over() const {
  if (running_.empty()) return true;
  if (finished_.size() < params_.num_beams) return false;
  if (params_.early_stopping == EarlyStopping::yes) return true;
  const bool to_the_end = params_.early_stopping == EarlyStopping::never && params_.length_penalty > 0;
  const std::size_t length = to_the_end ? static_cast<std::size_t>(max_tokens_) : length_;
  return !(score(running_.front().sum, length) > finished_.back().score);
}

double BeamSearch::score(double sum, std::size_t length) const {
  return sum / std::pow(static_cast<double>(length), params_.length_penalty);
}

std::vector<Hypothesis> BeamSearch::hypotheses(std::size_t count) const {
  std::vector<Hypothesis> found = finished_;
  if (!ended_) {
    for (Beam beam : running_) {
      beam.result.text += beam.sequence.end(FinishReason::cancelled);
      beam.result.finish_reason = FinishReason::cancelled;
      found.push_back({std::move(beam.result), length_ > 0 ? score(beam.sum, length_) : 0});
    }
  }
  found.resize(std::min(found.size(), count));
  return found;
}

}  // namespace xlstm::generation
