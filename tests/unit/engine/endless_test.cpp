// A text without an end takes no memory.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>

#include "xlstm/engine/engine.h"

namespace xlstm::engine {
namespace {

/// Bytes that malloc has given out and not got back; 0 under a sanitizer, whose malloc does not count.
std::size_t allocated() { return mallinfo2().uordblks; }

TEST(Endless, MemoryIsThatOfTheFirstTokensHoweverLongTheTextGets) {
  constexpr std::size_t kWarm = 4000, kEnd = 40000;
  LoadOptions options;
  options.num_threads = 1;
  const auto engine = Engine::synthetic("step64", DType::bfloat16, 1, options);
  if (allocated() == 0) GTEST_SKIP() << "this malloc does not count";

  generation::Request request;
  request.prompt = {1, 2, 3};
  request.max_tokens = -1;
  request.sampling.seed = 1;
  request.sampling.repetition_penalty = 1.1f;
  request.sampling.penalty_window = 64;
  request.stop_strings = {"no text has this"};
  std::size_t tokens = 0, warm = 0, end = 0, text_bytes = 0;
  std::atomic<bool> cancel = false;
  generation::Callbacks callbacks;
  callbacks.cancel = &cancel;
  callbacks.on_text = [&](std::string_view text) { text_bytes += text.size(); };
  callbacks.on_token = [&](TokenId) {
    ++tokens;
    if (tokens == kWarm) warm = allocated();
    if (tokens < kEnd) return;
    end = allocated();
    cancel = true;
  };
  callbacks.keep_output = false;
  const generation::Result result = engine->generate(engine->new_session(), request, callbacks);
  EXPECT_EQ(result.finish_reason, generation::FinishReason::cancelled);
  EXPECT_EQ(result.timings.generated_tokens, kEnd);
  EXPECT_GE(text_bytes, kEnd / 2);
  EXPECT_LE(end, warm + 16384) << "of " << warm << " bytes";  // ids alone would be 144,000
}

}  // namespace
}  // namespace xlstm::engine
