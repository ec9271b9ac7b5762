// Guesses change no bit, whatever they are: logits, ids, text and state are those of plain decoding.
#include <algorithm>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>

#include "tests/property/models/models.h"
#include "xlstm/base/error.h"
#include "xlstm/generation/generate.h"
#include "xlstm/generation/model_draft.h"
#include "xlstm/generation/ngram_draft.h"
#include "xlstm/model/synthetic.h"

namespace xlstm::property {
namespace {

/// What a function of the text says.
class FunctionDraft final : public generation::Draft {
 public:
  using Function = std::function<std::vector<TokenId>(std::span<const TokenId>, std::size_t)>;
  explicit FunctionDraft(Function function) : function_(std::move(function)) {}
  std::vector<TokenId> propose(std::span<const TokenId> text, std::size_t most) override {
    return function_(text, most);
  }

 private:
  Function function_;
};

class SpeculativeLaw : public ModelLaw {
 protected:
  /// Verifies ids [0, k), keeps `kept` of them, then goes on with a plain step.
  void expect_bits_of_plain_steps(backend::Backend& backend, const Read& start, std::span<const TokenId> ids,
                                  std::size_t kept) {
    const auto size = static_cast<std::size_t>(backend.model().config.vocab_size);
    const std::vector<float> before = slot_of(*start.state, backend.model());
    Read plain{start.state->clone(), start.logits}, ahead{start.state->clone(), start.logits};
    std::vector<float> logits(ids.size() * size);
    backend.verify({ids, ahead.state.get(), logits});
    EXPECT_TRUE(parity::same_bits(slot_of(*ahead.state, backend.model()), before));
    backend.accept(*ahead.state, kept);
    for (std::size_t t = 0; t <= ids.size(); ++t) {
      if (t == kept) {
        EXPECT_TRUE(parity::same_bits(slot_of(*ahead.state, backend.model()), slot_of(*plain.state, backend.model())));
      }
      if (t == ids.size()) break;
      step(backend, plain, ids[t]);
      EXPECT_TRUE(parity::same_bits(std::span(logits).subspan(t * size, size), plain.logits)) << "token " << t;
    }
  }

  static void step(backend::Backend& backend, Read& read, TokenId id) {
    read.logits.resize(static_cast<std::size_t>(backend.model().config.vocab_size));
    const backend::DecodeRow row{id, read.state.get(), read.logits};
    backend.decode(std::span(&row, 1));
  }

  generation::Request request(std::size_t round) {
    generation::Request request;
    request.prompt = text(choices_.between(1, 40));
    request.max_tokens = static_cast<std::int64_t>(choices_.between(0, 24));
    request.resumable = round % 3 == 0;
    request.logprobs = 1;
    request.sampling.seed = round;
    request.sampling.temperature = round % 2 == 0 ? 0.0f : 0.9f;
    request.sampling.repetition_penalty = 1.1f;
    if (round % 4 == 3) request.stop_strings = {"e"};
    return request;
  }

  struct Run {
    Read read;
    generation::Result result;
  };
  Run run(const generation::Request& request, generation::Draft* draft, std::size_t tokens) {
    Run run{fresh(*backend_), {}};
    const auto tokenizer = tokenizer::make_byte_tokenizer();
    run.result = generation::generate(*backend_, *run.read.state, *tokenizer, request, {}, {draft, tokens});
    run.read.logits = run.result.logits;
    return run;
  }
  void expect_same(const Run& actual, const Run& expected) {
    EXPECT_EQ(actual.result.ids, expected.result.ids);
    EXPECT_EQ(actual.result.text, expected.result.text);
    EXPECT_EQ(actual.result.finish_reason, expected.result.finish_reason);
    EXPECT_EQ(actual.result.state_tokens, expected.result.state_tokens);
    ASSERT_EQ(actual.result.logprobs.size(), expected.result.logprobs.size());
    for (std::size_t i = 0; i < actual.result.logprobs.size(); ++i) {
      EXPECT_EQ(actual.result.logprobs[i].logprob, expected.result.logprobs[i].logprob);
    }
    expect_same_bits(actual.read, expected.read);
  }
};

TEST_P(SpeculativeLaw, AVerificationHasTheBitsOfPlainSteps) {
  const Read start = prefilled(*backend_, text(30));
  for (std::size_t k = 1; k <= backend::kMaxVerifyTokens; k += k < 8 ? 1 : 4) {
    for (const std::size_t kept : std::set<std::size_t>{0, 1, choices_.between(0, k), k}) {
      SCOPED_TRACE(std::to_string(kept) + " of " + std::to_string(k));
      expect_bits_of_plain_steps(*backend_, start, text(k), kept);
    }
  }
}

TEST_P(SpeculativeLaw, GuessesThatAreRightUpToAnyPlaceChangeNothing) {
  for (std::size_t tokens = 1; tokens <= 8; ++tokens) {
    const generation::Request asked = request(tokens);
    const Run plain = run(asked, nullptr, 1);
    std::vector<TokenId> all = asked.prompt;
    all.insert(all.end(), plain.result.ids.begin(), plain.result.ids.end());
    FunctionDraft draft([&](std::span<const TokenId> text, std::size_t most) {
      std::vector<TokenId> ids;
      const std::size_t right = choices_.between(0, most);
      while (ids.size() < most) {
        const std::size_t at = text.size() + ids.size();
        const bool known = ids.size() < right && at < all.size();
        ids.push_back(known ? all[at] : static_cast<TokenId>(choices_.between(0, vocab() - 1)));
      }
      return ids;
    });
    const Run speculative = run(asked, &draft, tokens);
    expect_same(speculative, plain);
  }
}

TEST_P(SpeculativeLaw, RightGuessesAreAllAccepted) {
  generation::Request asked = request(0);
  asked.max_tokens = 21;
  asked.resumable = false;
  const Run plain = run(asked, nullptr, 1);
  FunctionDraft draft([&](std::span<const TokenId> text, std::size_t most) {
    const auto next = plain.result.ids.begin() + std::ptrdiff_t(text.size() - asked.prompt.size());
    return std::vector<TokenId>(next, next + std::ptrdiff_t(most));
  });
  const Run speculative = run(asked, &draft, 4);
  expect_same(speculative, plain);
  EXPECT_EQ(speculative.result.speculation.passes, 4u);  // 20 steps
  EXPECT_EQ(speculative.result.speculation.steps, 20u);
  EXPECT_EQ(speculative.result.speculation.accepted, 16u);
  EXPECT_EQ(speculative.result.speculation.drafted, 16u);
}

TEST_P(SpeculativeLaw, DraftsOfTheTextAndOfAModelChangeNothing) {
  const auto other = make_backend(1);
  for (std::size_t round = 0; round < 4; ++round) {
    const generation::Request asked = request(round);
    const Run plain = run(asked, nullptr, 1);
    generation::NgramDraft ngram;
    expect_same(run(asked, &ngram, 5), plain);
    generation::ModelDraft model(*other, 256);
    expect_same(run(asked, &model, 3), plain);
  }
}

TEST_P(SpeculativeLaw, WhatACallbackThrowsLeavesAStateThatIsTrue) {
  generation::Request asked = request(0);
  asked.max_tokens = 12;
  const Run plain = run(asked, nullptr, 1);
  const auto tokenizer = tokenizer::make_byte_tokenizer();
  for (std::size_t end = 1; end < 12; end += 3) {
    FunctionDraft draft([&](std::span<const TokenId> text, std::size_t most) {
      const auto next = plain.result.ids.begin() + std::ptrdiff_t(text.size() - asked.prompt.size());
      return std::vector<TokenId>(next, next + std::ptrdiff_t(most));
    });
    generation::Callbacks callbacks;
    std::size_t drawn = 0;
    callbacks.on_token = [&](TokenId) {
      if (++drawn == end) throw std::runtime_error("enough");
    };
    Read read = fresh(*backend_), expected = prefilled(*backend_, asked.prompt);
    generation::Result result;
    EXPECT_THROW(generation::generate(*backend_, *read.state, *tokenizer, asked, callbacks, result, {&draft, 5}),
                 std::runtime_error);
    EXPECT_EQ(result.state_tokens, asked.prompt.size() + end - 1);
    decode(*backend_, expected, std::span(plain.result.ids).first(end - 1));
    EXPECT_TRUE(parity::same_bits(slot_of(*read.state, *model_), slot_of(*expected.state, *model_)));
  }
}

XLSTM_FOR_BOTH_MODELS_AND_STATES(SpeculativeLaw);

class QuantizedSpeculativeLaw : public SpeculativeLaw {
 protected:
  void SetUp() override {}
};

/// Every number of rows has its own kernels with quantised weights.
TEST_P(QuantizedSpeculativeLaw, AVerificationHasTheBitsOfPlainSteps) {
  for (const char* format : {"int4", "int8", "bfloat16"}) {
    model_ = model::make_synthetic("step64", model::synthetic_format(format), 3);
    for (const bool batch_invariant : {true, false}) {
      backend::Options options;
      options.num_threads = 2;
      options.state_dtype = GetParam().state_dtype;
      options.batch_invariant = batch_invariant;
      const auto backend = backend::make_backend("cpu", model_, options);
      const std::vector<TokenId> ids = text(40);
      const Read start = prefilled(*backend, std::span(ids).first(20));
      for (std::size_t k = 1; k <= backend::kMaxVerifyTokens; k += k < 8 ? 1 : 4) {
        SCOPED_TRACE(std::string(format) + ", " + std::to_string(k));
        expect_bits_of_plain_steps(*backend, start, std::span(ids).subspan(20, k), k / 2);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(States, QuantizedSpeculativeLaw,
                         testing::Values(Subject{"synthetic"}, Subject{"synthetic", DType::bfloat16}),
                         [](const auto& subject) { return std::string(dtype_name(subject.param.state_dtype)); });

}  // namespace
}  // namespace xlstm::property
