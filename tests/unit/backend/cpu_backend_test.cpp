// The CPU backend against the network in double, at sizes that are multiples of nothing: both architectures, the three
// dtypes, every option; and its promises about bits.
#include "xlstm/backend/cpu/cpu_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/unit/backend/cpu_runner.h"
#include "tests/unit/backend/tiny_model.h"
#include "xlstm/base/random.h"
#include "xlstm/kernels/cpu/dispatch.h"

namespace xlstm::testing {
namespace {

using backend::DecodeRow;
using backend::Logits;
using backend::PrefillRow;
using backend::State;

struct Case {
  TinySpec spec;
  DType state_dtype;
};

class CpuBackendTest : public ::testing::TestWithParam<Case> {
 protected:
  void TearDown() override { kernels::force_cpu_target(""); }
  Runner runner(int threads = 1) const { return Runner(model_, threads, GetParam().state_dtype); }
  const std::shared_ptr<const model::Model> model_ = make_tiny_model(GetParam().spec);
  const std::size_t vocab_ = static_cast<std::size_t>(model_->config.vocab_size);

  Tokens tokens(std::size_t count, std::uint64_t seed = 1) const {
    return random_tokens(count, model_->config.vocab_size, seed);
  }
};

/// Laws of bits, which hold whatever the state is kept in.
class CpuBackendBitsTest : public CpuBackendTest {};

TEST_P(CpuBackendTest, DecodeEqualsTheOracleOnEveryCpuTarget) {
  const Tokens stream = tokens(40);
  const Truth truth = run_oracle(Oracle(*model_), stream);
  for (const std::string& target : kernels::cpu_targets()) {
    kernels::force_cpu_target(target);
    Runner cpu(model_);
    const auto state = cpu.fresh();
    for (std::size_t t = 0; t < stream.size(); ++t) {
      expect_logits(cpu.decode(stream[t], *state), truth, t * vocab_);
      expect_state(*model_, cpu.slot(*state), truth.states[t + 1]);
      if (HasFatalFailure()) FAIL() << target << ", token " << t;
    }
  }
}

TEST_P(CpuBackendTest, PrefillEqualsTheOracleOnEveryCpuTargetAndForEveryChunkSize) {
  const Tokens stream = tokens(300);  // more than one segment
  const Truth truth = run_oracle(Oracle(*model_), stream);
  for (const std::string& target : kernels::cpu_targets()) {
    kernels::force_cpu_target(target);
    for (const std::int64_t chunk : {1, 2, 7, 16, 20, 64, 1000}) {
      Runner cpu(with_chunk_size(*model_, chunk));
      for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{4}, std::size_t{15}, std::size_t{17},
                                      std::size_t{100}, stream.size()}) {
        const auto state = cpu.fresh();
        expect_logits(cpu.prefill(std::span(stream).first(count), *state), truth, 0);
        expect_state(*model_, cpu.slot(*state), truth.states[count]);
        if (HasFatalFailure()) FAIL() << target << ", chunks of " << chunk << ", " << count << " tokens";
      }
    }
  }
}

TEST_P(CpuBackendTest, AnyCutIntoPrefillsAndDecodesEqualsTheOracle) {
  const Tokens stream = tokens(90);
  const Truth truth = run_oracle(Oracle(*model_), stream);
  for (const std::int64_t chunk : {5, 64}) {
    Runner cpu(with_chunk_size(*model_, chunk), 2);
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      const auto state = cpu.fresh();
      std::uint64_t draw = 0;
      for (std::size_t t = 0; t < stream.size();) {
        const std::size_t left = stream.size() - t;
        const bool decode = uniform({seed, draw++}) < 0.3;
        const std::size_t count =
            decode ? 1 : std::min(left, 1 + static_cast<std::size_t>(uniform({seed, draw++}) * 35));
        const Floats logits =
            decode ? cpu.decode(stream[t], *state) : cpu.prefill(std::span(stream).subspan(t, count), *state);
        expect_logits(logits, truth, t * vocab_);
        t += count;
        expect_state(*model_, cpu.slot(*state), truth.states[t]);
        if (HasFatalFailure()) FAIL() << "chunks of " << chunk << ", seed " << seed << ", up to token " << t;
      }
    }
  }
}

TEST_P(CpuBackendBitsTest, TheLogitsAskedForDoNotChangeTheState) {
  Runner cpu = runner();
  for (const std::size_t count : {1, 3, 4, 50}) {
    const Tokens stream = tokens(count);
    const auto all = cpu.fresh(), last = cpu.fresh(), none = cpu.fresh();
    const Floats logits = cpu.prefill(stream, *all), last_logits = cpu.prefill(stream, *last, Logits::last);
    cpu.prefill(stream, *none, Logits::none);
    EXPECT_TRUE(same_bits(cpu.slot(*last), cpu.slot(*all))) << count;
    EXPECT_TRUE(same_bits(cpu.slot(*none), cpu.slot(*all))) << count;
    for (std::size_t v = 0; v < vocab_; ++v) {
      EXPECT_TRUE(std::abs(last_logits[v] - logits[logits.size() - vocab_ + v]) <= kLogitBound) << count << " " << v;
    }
  }
}

TEST_P(CpuBackendBitsTest, ADecodedRowInAnyBatchHasTheBitsItHasAlone) {
  constexpr std::size_t kRows = 7, kSteps = 3;
  Runner cpu = runner(2);
  std::vector<std::unique_ptr<State>> starts;  // of different ages
  for (std::size_t r = 0; r < kRows; ++r) {
    starts.push_back(cpu.fresh());
    if (r > 0) cpu.prefill(tokens(5 * r, r), *starts.back(), Logits::none);
  }
  std::vector<Floats> alone_logits, alone_slots;
  for (std::size_t r = 0; r < kRows; ++r) {
    const auto state = starts[r]->clone();
    Floats logits;
    for (const TokenId token : tokens(kSteps, 50 + r)) logits = cpu.decode(token, *state);
    alone_logits.push_back(logits);
    alone_slots.push_back(cpu.slot(*state));
  }
  for (std::size_t batch = 1; batch <= kRows; ++batch) {
    for (std::size_t first = 0; first < kRows; first += 2) {  // row r of the batch is sequence (first + r) % kRows
      std::vector<std::unique_ptr<State>> states;
      std::vector<Floats> logits(batch, Floats(vocab_));
      for (std::size_t r = 0; r < batch; ++r) states.push_back(starts[(first + r) % kRows]->clone());
      for (std::size_t step = 0; step < kSteps; ++step) {
        std::vector<DecodeRow> rows;
        for (std::size_t r = 0; r < batch; ++r) {
          rows.push_back({tokens(kSteps, 50 + (first + r) % kRows)[step], states[r].get(), logits[r]});
        }
        cpu.backend().decode(rows);
      }
      for (std::size_t r = 0; r < batch; ++r) {
        const std::size_t sequence = (first + r) % kRows;
        ASSERT_TRUE(same_bits(logits[r], alone_logits[sequence])) << "batch " << batch << " row " << r;
        ASSERT_TRUE(same_bits(cpu.slot(*states[r]), alone_slots[sequence])) << "batch " << batch << " row " << r;
      }
    }
  }
}

TEST_P(CpuBackendBitsTest, APrefilledRowAmongOthersHasTheBitsItHasAlone) {
  Runner cpu = runner(3);
  const std::size_t lengths[] = {1, 70, 16, 33, 300};
  std::vector<Tokens> streams;
  std::vector<Floats> alone_logits, alone_slots, logits;
  std::vector<std::unique_ptr<State>> states;
  for (const std::size_t length : lengths) {
    streams.push_back(tokens(length, length));
    const auto state = cpu.fresh();
    alone_logits.push_back(cpu.prefill(streams.back(), *state));
    alone_slots.push_back(cpu.slot(*state));
    states.push_back(cpu.fresh());
    logits.emplace_back(alone_logits.back().size());
  }
  std::vector<PrefillRow> rows;
  for (const std::size_t r : {3u, 0u, 4u, 1u, 2u})
    rows.push_back({streams[r], states[r].get(), Logits::all, logits[r]});
  cpu.backend().prefill(rows);
  for (std::size_t r = 0; r < streams.size(); ++r) {
    EXPECT_TRUE(same_bits(logits[r], alone_logits[r])) << r;
    EXPECT_TRUE(same_bits(cpu.slot(*states[r]), alone_slots[r])) << r;
  }
}

TEST_P(CpuBackendBitsTest, TheNumberOfThreadsChangesNoBit) {
  const Tokens stream = tokens(70);
  Floats first_logits, first_slot;
  for (int threads = 1; threads <= 4; ++threads) {
    Runner cpu = runner(threads);
    EXPECT_EQ(cpu.backend().num_threads(), threads);
    const auto state = cpu.fresh();
    Floats logits = cpu.prefill(stream, *state);
    for (const TokenId token : tokens(5, 9)) {
      const Floats next = cpu.decode(token, *state);
      logits.insert(logits.end(), next.begin(), next.end());
    }
    if (threads == 1) first_logits = logits, first_slot = cpu.slot(*state);
    EXPECT_TRUE(same_bits(logits, first_logits)) << threads;
    EXPECT_TRUE(same_bits(cpu.slot(*state), first_slot)) << threads;
  }
}

TEST_P(CpuBackendBitsTest, ACutAtASegmentChangesNoBit) {
  Runner cpu = runner();
  const std::size_t segment = cpu.backend().prefill_segment();
  for (const std::size_t tail : {0, 1, 3, 9}) {
    const Tokens stream = tokens(2 * segment + tail);
    const auto whole = cpu.fresh(), cut = cpu.fresh();
    const Floats logits = cpu.prefill(stream, *whole, Logits::last);
    cpu.prefill(std::span(stream).first(segment), *cut, Logits::none);
    const Floats rest = cpu.prefill(std::span(stream).subspan(segment), *cut, Logits::last);
    EXPECT_TRUE(same_bits(rest, logits)) << tail;
    EXPECT_TRUE(same_bits(cpu.slot(*cut), cpu.slot(*whole))) << tail;
  }
}

// One sequence's damage is its own: it shows in its logits, and what runs after it or beside it in the same memory is
// untouched.
TEST_P(CpuBackendBitsTest, ANotANumberInOneStateComesOutThereAndNowhereElse) {
  const Tokens stream = tokens(21);
  Runner clean = runner();
  const auto clean_state = clean.fresh();
  const Floats clean_prefill = clean.prefill(stream, *clean_state), clean_decode = clean.decode(1, *clean_state);

  Runner cpu = runner();
  const auto damaged = cpu.fresh();
  Floats slot = cpu.slot(*damaged);
  std::fill(slot.begin(), slot.end(), std::numeric_limits<float>::quiet_NaN());
  damaged->from_host(slot);
  const Floats lost = cpu.prefill(stream, *damaged->clone());
  EXPECT_TRUE(std::all_of(lost.begin(), lost.end(), [](float x) { return std::isnan(x); }));
  const auto state = cpu.fresh();
  EXPECT_TRUE(same_bits(cpu.prefill(stream, *state), clean_prefill));

  Floats logits(vocab_), lost_logits(vocab_);
  const DecodeRow rows[] = {{1, damaged.get(), lost_logits}, {1, state.get(), logits}};
  cpu.backend().decode(rows);
  EXPECT_TRUE(std::all_of(lost_logits.begin(), lost_logits.end(), [](float x) { return std::isnan(x); }));
  EXPECT_TRUE(same_bits(logits, clean_decode));
  EXPECT_TRUE(same_bits(cpu.slot(*state), clean.slot(*clean_state)));
}

TEST_P(CpuBackendBitsTest, ARefusedCallChangesNoState) {
  Runner cpu = runner();
  const auto state = cpu.fresh(), other = cpu.fresh();
  cpu.prefill(tokens(9), *state, Logits::none);
  const Floats before = cpu.slot(*state);
  Floats logits(vocab_);
  const Tokens good = tokens(3), bad = {0, static_cast<TokenId>(vocab_)};
  const PrefillRow prefills[] = {{good, state.get(), Logits::last, logits}, {bad, other.get(), Logits::none, {}}};
  EXPECT_ANY_THROW(cpu.backend().prefill(prefills));
  const DecodeRow decodes[] = {{0, state.get(), logits}, {-1, other.get(), logits}};
  EXPECT_ANY_THROW(cpu.backend().decode(decodes));
  EXPECT_TRUE(same_bits(cpu.slot(*state), before));
}

TEST_P(CpuBackendBitsTest, NoRowsAreNoWork) {
  Runner cpu = runner();
  cpu.backend().prefill({});
  cpu.backend().decode({});
  EXPECT_EQ(cpu.backend().name(), "cpu");
  EXPECT_EQ(&cpu.backend().model(), model_.get());
}

std::vector<Case> cases(std::initializer_list<DType> state_dtypes) {
  std::vector<Case> all;
  for (const DType dtype : state_dtypes) {
    for (const TinySpec& spec : tiny_specs()) all.push_back({spec, dtype});
  }
  return all;
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return c.state_dtype == DType::float32 ? c.spec.name : c.spec.name + "_in_a_bfloat16_state";
}

INSTANTIATE_TEST_SUITE_P(Tiny, CpuBackendTest, ::testing::ValuesIn(cases({DType::float32})), name_of);
INSTANTIATE_TEST_SUITE_P(Tiny, CpuBackendBitsTest, ::testing::ValuesIn(cases({DType::float32, DType::bfloat16})),
                         name_of);

}  // namespace
}  // namespace xlstm::testing
