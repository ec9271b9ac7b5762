// What speculative decoding refuses. Its bits are the property test's (speculative_test).
#include "xlstm/generation/speculation.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/unit/generation/fake_backend.h"
#include "xlstm/generation/generate.h"
#include "xlstm/generation/ngram_draft.h"

namespace xlstm::generation {
namespace {

TEST(Speculation, WhatCannotBeIsRefusedBeforeAnythingIsRead) {
  const auto tokenizer = tokenizer::make_byte_tokenizer();
  FakeBackend backend(300, 4, {'a'});
  FakeState state;
  Request request;
  request.prompt = {'p'};
  NgramDraft draft;
  const auto run = [&](std::size_t tokens) {
    return [&, tokens] { generate(backend, state, *tokenizer, request, {}, {&draft, tokens}); };
  };
  tests::expect_error(ErrorCode::invalid_argument, "[draft] expected 1 to 15 tokens but got 0", run(0));
  tests::expect_error(ErrorCode::invalid_argument, "[draft] expected 1 to 15 tokens but got 16", run(16));
  tests::expect_error(ErrorCode::unsupported, "[draft] expected the backend cpu but got fake", run(4));
  EXPECT_TRUE(state.tokens.empty());
}

}  // namespace
}  // namespace xlstm::generation
