#include "apps/cli/generate_output.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/cli/result_json.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/units.h"
#include "xlstm/engine/machine.h"

namespace xlstm::cli {
namespace {

using Json = nlohmann::ordered_json;
using generation::FinishReason;
using generation::Result;

Json timings_json(const generation::Timings& timings) {
  return {{"prefill_seconds", timings.prefill_seconds},
          {"decode_seconds", timings.decode_seconds},
          {"time_to_first_token_seconds", timings.time_to_first_token_seconds},
          {"generated_tokens", timings.generated_tokens},
          {"prefill_tokens_per_second", timings.prefill_tokens_per_second()},
          {"decode_tokens_per_second", timings.decode_tokens_per_second()},
          {"peak_rss_bytes", engine::peak_rss_bytes()}};
}

Json sample_json(const Answer& answer, const scheduler::Sample& sample, const tokenizer::Tokenizer& tokenizer) {
  const Result& result = sample.result;
  Json json = {{"text", result.text},
               {"ids", result.ids},
               {"cached_tokens", answer.cached_tokens},
               {"prompt_tokens", result.timings.prompt_tokens},
               {"finish_reason", generation::finish_reason_name(result.finish_reason)}};
  if (answer.seed) json["seed"] = *answer.seed + sample.number;
  if (answer.scored) json["score"] = sample.score;
  if (!result.logprobs.empty()) json["logprobs"] = logprobs_json(result.ids, result.logprobs, tokenizer);
  if (const auto& scores = answer.outcome.prompt_logprobs; !scores.empty()) {
    json["prompt_logprobs"] = prompt_logprobs_json(answer.prompt, scores, tokenizer);
  }
  json["timings"] = timings_json(result.timings);
  if (const generation::SpeculationCounts& counts = result.speculation; counts.passes > 0) {
    json["draft"] = {{"drafted_tokens", counts.drafted},
                     {"accepted_tokens", counts.accepted},
                     {"passes", counts.passes},
                     {"tokens_per_pass", counts.steps_per_pass()}};
  }
  return json;
}

std::string heading(const Answer& answer, std::size_t i) {
  const scheduler::Sample& sample = answer.outcome.samples[i];
  return fmt::format("--- {} of {}{}{} ---\n", i + 1, answer.outcome.samples.size(),
                     answer.seed ? fmt::format(", seed {}", *answer.seed + sample.number) : "",
                     answer.scored ? fmt::format(", score {:.4f}", sample.score) : "");
}

/// Samples decode beside one another: their tokens together in the time of the longest.
generation::Timings together(const std::vector<scheduler::Sample>& samples) {
  generation::Timings all = samples.front().result.timings;
  all.generated_tokens = 0;
  for (const scheduler::Sample& sample : samples) {
    all.generated_tokens += sample.result.timings.generated_tokens;
    all.decode_seconds = std::max(all.decode_seconds, sample.result.timings.decode_seconds);
  }
  return all;
}

}  // namespace

bool was_cancelled(const Answer& answer) {
  const std::vector<scheduler::Sample>& samples = answer.outcome.samples;
  return std::any_of(samples.begin(), samples.end(), [](const scheduler::Sample& sample) {
    return sample.result.finish_reason == FinishReason::cancelled;
  });
}

void print_json(const Answer& answer, bool list, const tokenizer::Tokenizer& tokenizer) {
  Json all = Json::array();
  for (const scheduler::Sample& sample : answer.outcome.samples) all.push_back(sample_json(answer, sample, tokenizer));
  print((list ? all : all.front()).dump() + "\n");
  flush_output();
}

void print_texts(const Answer& answer, bool ids) {
  const std::vector<scheduler::Sample>& samples = answer.outcome.samples;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Result& result = samples[i].result;
    if (ids) {
      print(fmt::format("{}\n", fmt::join(result.ids, ",")));
      continue;
    }
    if (samples.size() > 1) print(heading(answer, i));
    print(result.text);
    if (!result.text.empty() && result.text.back() != '\n') print("\n");
  }
  flush_output();
}

void OutputStream::on_token(TokenId id) {
  if (!ids_) return;
  if (line_is_open_) print(",");
  print(std::to_string(id));
  flush_output();
  line_is_open_ = true;
}

void OutputStream::on_text(std::string_view text) {
  if (ids_ || text.empty()) return;
  print(text);
  flush_output();
  line_is_open_ = text.back() != '\n';
}

void OutputStream::end() {
  if (line_is_open_) print("\n");
  line_is_open_ = false;
  flush_output();
}

void print_summary(const Answer& answer) {
  const std::vector<scheduler::Sample>& samples = answer.outcome.samples;
  const generation::Timings timings = together(samples);
  say(fmt::format("prompt {} tokens, {} | generated {} tokens, {} | first token after {:.3f} s | peak memory {}{}\n",
                  timings.prompt_tokens, human_rate(timings.prefill_tokens_per_second()), timings.generated_tokens,
                  human_rate(timings.decode_tokens_per_second()), timings.time_to_first_token_seconds,
                  human_bytes(engine::peak_rss_bytes()), was_cancelled(answer) ? " | stopped by Ctrl-C" : ""));
  if (answer.scored && samples.size() == 1) say(fmt::format("score {:.4f}\n", samples.front().score));
  if (const generation::SpeculationCounts& counts = samples.front().result.speculation; counts.passes > 0) {
    say(fmt::format("draft: {} of {} guesses right, {:.2f} tokens a pass\n", counts.accepted, counts.drafted,
                    counts.steps_per_pass()));
  }
}

}  // namespace xlstm::cli
