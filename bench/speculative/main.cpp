// When guessing ahead pays: docs/speculative.md.
//
//   speculative_bench MODEL [TOKENS [TEXT]]
//
// MODEL is a checkpoint's directory, or SHAPE:DTYPE for random weights of a published shape, as in 1.3b:int4. Greedy,
// TOKENS tokens a run (48 if not given). For 1 to 8 guesses a pass: the speed without guesses, how many times that with
// guesses right with probability p, what a pass costs in plain steps (the median of these runs), and the p from which
// on guessing pays at that cost. With TEXT, a file, also n-gram drafts while the model continues it, and while it
// continues a passage that stood there eight times. Plain and speculative runs go in turn; medians of three.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/base/random.h"
#include "xlstm/engine/engine.h"
#include "xlstm/engine/statistics.h"
#include "xlstm/generation/ngram_draft.h"

namespace {

using xlstm::TokenId;
using xlstm::engine::Engine;
using xlstm::engine::Session;
using xlstm::generation::Draft;
using xlstm::generation::Request;
using xlstm::generation::Result;

constexpr int kRepeats = 3;

std::unique_ptr<Engine> load(const std::string& model) {
  xlstm::engine::LoadOptions options;
  const std::size_t colon = model.find(':');
  if (colon != model.npos) {
    return Engine::synthetic(model.substr(0, colon), xlstm::model::synthetic_format(model.substr(colon + 1)), 1,
                             options);
  }
  options.model = model;
  return Engine::load(options);
}

/// Knows what plain decoding says, and says so with probability p a token; else another id.
class Oracle final : public Draft {
 public:
  Oracle(std::vector<TokenId> all, double p) : all_(std::move(all)), p_(p) {}
  std::vector<TokenId> propose(std::span<const TokenId> text, std::size_t most) override {
    std::vector<TokenId> ids;
    for (std::size_t at = text.size(); ids.size() < most && at < all_.size(); ++at) {
      const bool right = xlstm::uniform({1, ++draws_}) < p_;
      ids.push_back(right ? all_[at] : all_[at] ^ 1);
    }
    return ids;
  }

 private:
  std::vector<TokenId> all_;
  double p_;
  std::uint64_t draws_ = 0;
};

class Bench {
 public:
  Bench(Engine& engine, std::vector<TokenId> prompt, std::size_t tokens)
      : engine_(engine), prompt_(std::move(prompt)), start_(engine.new_session()) {
    const std::vector<float> logits = engine_.prefill(start_, prompt_);
    request_.logits = logits;
    request_.max_tokens = static_cast<std::int64_t>(tokens);
    request_.sampling.temperature = 0;
  }

  Result run(Draft* draft, std::size_t tokens) const {
    Session session = start_.fork();
    return engine_.generate(session, request_, {}, {draft, tokens});
  }
  /// The prompt and what follows it.
  std::vector<TokenId> all() const {
    std::vector<TokenId> ids = prompt_;
    const Result plain = run(nullptr, 1);
    ids.insert(ids.end(), plain.ids.begin(), plain.ids.end());
    return ids;
  }

  struct Speeds {
    double plain = 0, speculative = 0, tokens_per_pass = 0;  // tokens a second
    std::size_t drafted = 0, accepted = 0;
  };
  template <class MakeDraft>
  Speeds measure(std::size_t tokens, const MakeDraft& make_draft) const {
    std::vector<double> plain, speculative;
    Speeds speeds;
    std::vector<TokenId> ids;
    for (int repeat = 0; repeat < kRepeats; ++repeat) {
      const Result without = run(nullptr, 1);
      const auto draft = make_draft();
      const Result with = run(draft.get(), tokens);
      if (with.ids != without.ids) xlstm::fail(xlstm::ErrorCode::internal, "bench", "expected the same ids");
      plain.push_back(without.timings.decode_tokens_per_second());
      speculative.push_back(with.timings.decode_tokens_per_second());
      speeds.tokens_per_pass = with.speculation.steps_per_pass();
      speeds.drafted = with.speculation.drafted;
      speeds.accepted = with.speculation.accepted;
    }
    speeds.plain = xlstm::engine::median(plain);
    speeds.speculative = xlstm::engine::median(speculative);
    return speeds;
  }

 private:
  Engine& engine_;
  std::vector<TokenId> prompt_;
  Session start_;
  Request request_;
};

/// Tokens that a pass with k guesses gives when each is right with probability p.
double tokens_a_pass(double p, std::size_t k) {
  double sum = 0, right = 1;
  for (std::size_t i = 0; i <= k; ++i, right *= p) sum += right;
  return sum;
}

/// The p at which a pass gives as many tokens as it costs plain steps; above 1: none.
double break_even(double cost, std::size_t k) {
  if (tokens_a_pass(1, k) < cost) return 2;
  double low = 0, high = 1;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (tokens_a_pass(middle, k) < cost ? low : high) = middle;
  }
  return high;
}

void run_oracle(const Bench& bench) {
  constexpr std::size_t kGuesses[] = {1, 2, 4, 8};
  constexpr double kRates[] = {0, 0.7, 0.9, 1};
  std::printf("%8s %9s", "guesses", "plain/s");
  for (const double p : kRates) std::printf("   p=%.1f", p);
  std::printf("   pass/step  break-even p\n");
  const std::vector<TokenId> all = bench.all();
  for (const std::size_t k : kGuesses) {
    double plain = 0;
    std::vector<double> costs;
    std::string columns;
    for (const double p : kRates) {
      const Bench::Speeds speeds = bench.measure(k, [&] { return std::make_unique<Oracle>(all, p); });
      const double factor = speeds.speculative / speeds.plain;
      char column[16];
      std::snprintf(column, sizeof column, " %7.2f", factor);
      columns += column;
      plain = speeds.plain;
      costs.push_back(speeds.tokens_per_pass / factor);
    }
    const double cost = xlstm::engine::median(costs), p = break_even(cost, k);
    std::printf("%8zu %9.1f%s %11.2f", k, plain, columns.c_str(), cost);
    p > 1 ? std::printf("  %12s\n", "none") : std::printf("  %12.2f\n", p);
    std::fflush(stdout);
  }
}

void run_ngram(const char* name, const Bench& bench) {
  for (const std::size_t k : {2, 4, 8}) {
    const Bench::Speeds s = bench.measure(k, [] { return std::make_unique<xlstm::generation::NgramDraft>(); });
    std::printf("%-10s %2zu guesses: plain %8.1f tok/s, n-gram %8.1f (%.2f x), %zu of %zu right, %.2f tokens a pass\n",
                name, k, s.plain, s.speculative, s.speculative / s.plain, s.accepted, s.drafted, s.tokens_per_pass);
    std::fflush(stdout);
  }
}

std::string read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) xlstm::fail(xlstm::ErrorCode::not_found, path, "expected a readable file");
  return {std::istreambuf_iterator<char>(file), {}};
}

void run(const std::string& model, std::size_t tokens, const char* text) {
  const std::unique_ptr<Engine> engine = load(model);
  std::printf("%s, %zu tokens, %d threads\n", engine->source().c_str(), tokens, engine->backend().num_threads());
  const std::string opening = "The quick brown fox jumps over the lazy dog. ";
  run_oracle(Bench(*engine, engine->encode(opening, true), tokens));
  if (text == nullptr) return;
  const std::string all = read(text), passage = all.substr(0, 300);
  run_ngram("ordinary", Bench(*engine, engine->encode(all.substr(0, 2000), true), tokens));
  std::string repeated;
  for (int i = 0; i < 8; ++i) repeated += passage;
  run_ngram("repetitive", Bench(*engine, engine->encode(repeated, true), tokens));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: speculative_bench MODEL [TOKENS [TEXT]]\n");
    return 2;
  }
  try {
    run(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 48, argc > 3 ? argv[3] : nullptr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "speculative_bench: error: %s\n", error.what());
    return 1;
  }
}
