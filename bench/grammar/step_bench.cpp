// What a JSON schema's masks cost of a decode step.
//
//   step_bench MODEL_DIR|SHAPE:DTYPE [TOKENIZER.json] [STEPS]
//
// Two sequences take turns, one with the schema and one without; a step is one decode pass and the choice of the next
// id (temperature 0.8, top-k 40, as the command line has it). Of both, the median and the mean of the whole step and of
// the choice alone; the share is how much longer the choice takes, of the step without a mask. SHAPE:DTYPE, as
// 1.3b:int4, is a random model; with a tokenizer of its vocabulary the masks have their real size.

#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "bench/grammar/record_schema.h"
#include "xlstm/engine/constraint.h"
#include "xlstm/engine/engine.h"
#include "xlstm/engine/statistics.h"
#include "xlstm/generation/sequence.h"

namespace {

using namespace xlstm;
using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// A sequence without end: where a text is over, the next one begins.
class Row {
 public:
  Row(engine::Engine& engine, const tokenizer::Tokenizer& tokenizer, const engine::SharedMasks& masks)
      : engine_(engine), tokenizer_(tokenizer), state_(engine.backend().make_state()) {
    request_.prompt = {1};
    request_.max_tokens = -1;
    request_.sampling.temperature = 0.8f;
    request_.sampling.top_k = 40;
    request_.constraint = masks;
    logits_.resize(static_cast<std::size_t>(engine.model().config.vocab_size));
  }

  void step() {
    if (!sequence_ || sequence_->ended()) {
      ++request_.sampling.seed;
      sequence_.emplace(tokenizer_, request_);
      ++texts_;
    }
    const Clock::time_point begin = Clock::now();
    const backend::DecodeRow row{pending_, state_.get(), logits_};
    engine_.backend().decode(std::span(&row, 1));
    const Clock::time_point decoded = Clock::now();
    pending_ = sequence_->next(logits_).id;
    choices.push_back(microseconds_since(decoded));
    steps.push_back(microseconds_since(begin));
  }
  std::size_t texts() const noexcept { return texts_; }

  std::vector<double> steps, choices;  // microseconds

 private:
  engine::Engine& engine_;
  const tokenizer::Tokenizer& tokenizer_;
  std::unique_ptr<backend::State> state_;
  generation::Request request_;
  std::optional<generation::Sequence> sequence_;
  std::vector<float> logits_;
  TokenId pending_ = 1;
  std::size_t texts_ = 0;
};

void print_row(const char* name, const Row& row) {
  std::printf("%-14s step median %9.1f mean %9.1f us | choice median %7.2f mean %7.2f us | %zu texts\n", name,
              engine::median(row.steps), mean(row.steps), engine::median(row.choices), mean(row.choices), row.texts());
}

std::unique_ptr<engine::Engine> load(const std::string& name) {
  engine::LoadOptions options;
  const std::size_t colon = name.find(':');
  if (colon == name.npos) {
    options.model = name;
    return engine::Engine::load(options);
  }
  return engine::Engine::synthetic(name.substr(0, colon), model::synthetic_format(name.substr(colon + 1)), 1, options);
}

void run(const std::string& model, const char* tokenizer_json, int steps) {
  const auto engine = load(model);
  std::unique_ptr<tokenizer::Tokenizer> own;
  if (tokenizer_json != nullptr) own = tokenizer::load_tokenizer(tokenizer_json);
  const tokenizer::Tokenizer& tokenizer = own ? *own : engine->tokenizer();
  const Clock::time_point begin = Clock::now();
  engine::Constraints constraints(tokenizer);
  const engine::SharedMasks masks = constraints.get({engine::Constraint::Kind::json_schema, kSchema});
  std::printf("%s, %zu tokens, %d threads; masks made in %.0f ms\n", model.c_str(), tokenizer.vocab_size(),
              engine->backend().num_threads(), microseconds_since(begin) / 1e3);
  Row plain(*engine, tokenizer, nullptr), masked(*engine, tokenizer, masks);
  for (int i = 0; i < steps; ++i) {
    plain.step();
    masked.step();
  }
  print_row("without", plain);
  print_row("json schema", masked);
  const auto share = [](double with, double without, double step) { return 100 * (with - without) / step; };
  std::printf("share of a step: median %.2f %%, mean %.2f %%\n",
              share(engine::median(masked.choices), engine::median(plain.choices), engine::median(plain.steps)),
              share(mean(masked.choices), mean(plain.choices), mean(plain.steps)));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::cerr << "usage: step_bench MODEL_DIR|SHAPE:DTYPE [TOKENIZER.json] [STEPS]\n";
    return 2;
  }
  try {
    run(argv[1], argc > 2 ? argv[2] : nullptr, argc > 3 ? std::stoi(argv[3]) : 500);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 3;
  }
  return 0;
}
