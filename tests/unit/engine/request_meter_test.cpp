#include "xlstm/engine/request_meter.h"

#include <gtest/gtest.h>

#include "xlstm/base/error.h"

namespace xlstm::engine {
namespace {

using generation::Callbacks;
using generation::FinishReason;
using generation::Result;

Result ended_as(FinishReason reason) {
  Result result;
  result.finish_reason = reason;
  return result;
}

TEST(RequestMeter, CountsWhatTheCallbacksTell) {
  RequestMeter meter;
  EXPECT_EQ(meter.stats().submitted, 0u);
  scheduler::Stats within;
  meter.measure({}, [&](const Callbacks& counting) {
    counting.on_prefill(256, 300);
    counting.on_prefill(300, 300);
    for (TokenId id = 0; id < 5; ++id) counting.on_token(id);
    within = meter.stats();
    return ended_as(FinishReason::length);
  });
  EXPECT_EQ(within.running, 1u);
  EXPECT_EQ(within.rows, 1u);
  EXPECT_EQ(within.completed, 0u);
  const scheduler::Stats stats = meter.stats();
  EXPECT_EQ(stats.running, 0u);
  EXPECT_EQ(stats.rows, 0u);
  EXPECT_EQ(stats.completed, 1u);
  EXPECT_EQ(stats.prefill_tokens, 300u);
  EXPECT_EQ(stats.generated_tokens, 5u);
  EXPECT_EQ(stats.decode_tokens, 4u);  // the first is drawn from the prompt's logits
  EXPECT_EQ(stats.steps, 6u);
  EXPECT_EQ(stats.first_token_seconds.count(), 1u);
  EXPECT_EQ(stats.inter_token_seconds.count(), 4u);
  EXPECT_EQ(stats.request_seconds.count(), 1u);
}

TEST(RequestMeter, TheCallersCallbacksHearEverythingToo) {
  RequestMeter meter;
  std::string heard;
  Callbacks callbacks;
  callbacks.on_prefill = [&](std::size_t done, std::size_t total) {
    heard += std::to_string(done) + "/" + std::to_string(total) + " ";
  };
  callbacks.on_token = [&](TokenId id) { heard += std::to_string(id) + " "; };
  callbacks.on_text = [&](std::string_view text) { heard += text; };
  const Result result = meter.measure(callbacks, [](const Callbacks& counting) {
    counting.on_prefill(1, 2);
    counting.on_token(7);
    counting.on_text("seven");
    return ended_as(FinishReason::stop_token);
  });
  EXPECT_EQ(heard, "1/2 7 seven");
  EXPECT_EQ(result.finish_reason, FinishReason::stop_token);
}

TEST(RequestMeter, CountsHowRequestsEnd) {
  RequestMeter meter;
  const auto ends = [&](auto run) { return meter.measure({}, run); };
  ends([](const Callbacks&) { return ended_as(FinishReason::cancelled); });
  EXPECT_THROW(ends([](const Callbacks&) -> Result { fail(ErrorCode::cancelled, "test", "stopped"); }), Error);
  EXPECT_THROW(ends([](const Callbacks&) -> Result { fail(ErrorCode::internal, "test", "broken"); }), Error);
  EXPECT_THROW(ends([](const Callbacks&) -> Result { throw std::bad_alloc(); }), std::bad_alloc);
  const scheduler::Stats stats = meter.stats();
  EXPECT_EQ(stats.submitted, 4u);
  EXPECT_EQ(stats.cancelled, 2u);
  EXPECT_EQ(stats.failed, 2u);
  EXPECT_EQ(stats.completed, 0u);
  EXPECT_EQ(stats.running, 0u);
}

TEST(RequestMeter, TellsOfStates) {
  RequestMeter meter;
  meter.note_states(3, 5);
  EXPECT_EQ(meter.stats().state_bytes, 3u);
  EXPECT_EQ(meter.stats().max_state_bytes, 5u);
}

}  // namespace
}  // namespace xlstm::engine
