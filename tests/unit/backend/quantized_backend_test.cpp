// Quantised networks on the CPU backend against the network in double of the same values stored plainly (the corpus
// holds both), for every type of activation; and the promises about bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/unit/backend/corpus_model.h"
#include "tests/unit/backend/cpu_runner.h"
#include "xlstm/kernels/cpu/dispatch.h"

namespace xlstm::testing {
namespace {

using backend::DecodeRow;
using backend::Logits;
using backend::State;

constexpr std::int64_t kGroup = 32;  // of all quantised models of the corpus

/// Moves x by as much as the type may round it: a group's largest value over twice the largest integer; 2^-9 of a value
/// for bfloat16's 8 bits; 2^-24 for float32's 24.
class Noise {
 public:
  Noise(DType dtype, std::uint64_t seed) : dtype_(dtype), seed_(seed) {}

  void operator()(const model::Matrix&, std::vector<double>& x) {
    for (std::size_t begin = 0; begin < x.size(); begin += kGroup) {
      const std::span group(x.data() + begin, std::min<std::size_t>(kGroup, x.size() - begin));
      double largest = 0;
      for (const double value : group) largest = std::max(largest, std::abs(value));
      for (double& value : group) value += step(value, largest) * (2 * uniform({seed_, next_++}) - 1);
    }
  }

 private:
  double step(double value, double largest) const {
    if (dtype_ == DType::int8) return largest / (2 * 127);
    if (dtype_ == DType::int16) return largest / (2 * 32767);
    return std::abs(value) * (dtype_ == DType::bfloat16 ? 0x1p-9 : 0x1p-24);
  }

  DType dtype_;
  std::uint64_t seed_, next_ = 0;
};

/// Root of the mean square of a - b over as many logits as a has.
template <class A>
double distance(const A& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

/// What rounding to a type may do.
struct Allowed {
  Slack each;           // of any number: four times the most that noise did
  double distance = 0;  // of all logits: twice what noise did
};

/// How far noise of the type's size moves the network in double: the most of several draws and all positions.
Allowed allowed_for(const model::Model& model, const Tokens& tokens, const Truth& truth, DType dtype) {
  Allowed allowed = {{0, std::vector<double>(model.state_spec.tensors.size())}, 0};
  const auto widen = [](double& bound, double moved, double from) {
    bound = std::max(bound, 4 * std::abs(moved - from));
  };
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const Truth moved = run_oracle(Oracle(model, Noise(dtype, seed)), tokens);
    allowed.distance = std::max(allowed.distance, 2 * distance(moved.logits, truth.logits));
    for (std::size_t i = 0; i < truth.logits.size(); ++i) widen(allowed.each.logits, moved.logits[i], truth.logits[i]);
    for (std::size_t t = 0; t < allowed.each.state.size(); ++t) {
      const config::StateTensor& tensor = model.state_spec.tensors[t];
      for (std::size_t after = 0; after < truth.states.size(); ++after) {
        for (std::int64_t i = tensor.offset; i < tensor.offset + tensor.size; ++i) {
          const auto at = static_cast<std::size_t>(i);
          widen(allowed.each.state[t], moved.states[after][at], truth.states[after][at]);
        }
      }
    }
  }
  return allowed;
}

struct Case {
  std::string quantized, plain;
  DType activations;
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.quantized; }
};

class QuantizedBackendTest : public ::testing::TestWithParam<Case> {
 protected:
  void TearDown() override { kernels::force_cpu_target(""); }

  Runner runner(int threads = 1) const { return Runner(model_, threads, DType::float32, GetParam().activations); }
  Tokens tokens(std::size_t count, std::uint64_t seed = 1) const {
    return random_tokens(count, model_->config.vocab_size, seed);
  }

  const std::shared_ptr<const model::Model> model_ = tests::corpus_model(GetParam().quantized),
                                            plain_ = tests::corpus_model(GetParam().plain);
  const std::size_t vocab_ = static_cast<std::size_t>(model_->config.vocab_size);
};

/// The stream in pieces: prefills and decodes in turn by chance, or (seed 0) decodes alone.
void expect_cuts(Runner& cpu, std::uint64_t seed, const Tokens& stream, const Truth& truth, const Allowed& allowed) {
  const auto state = cpu.fresh();
  Floats all;
  std::uint64_t draw = 0;
  for (std::size_t t = 0; t < stream.size();) {
    const bool decode = seed == 0 || uniform({seed, draw++}) < 0.3;
    const std::size_t most = 1 + static_cast<std::size_t>(uniform({seed, draw++}) * 35);
    const std::size_t count = decode ? 1 : std::min(most, stream.size() - t);
    const Floats logits =
        decode ? cpu.decode(stream[t], *state) : cpu.prefill(std::span(stream).subspan(t, count), *state);
    ASSERT_NO_FATAL_FAILURE(expect_logits(logits, truth, all.size(), allowed.each)) << "token " << t;
    all.insert(all.end(), logits.begin(), logits.end());
    t += count;
    ASSERT_NO_FATAL_FAILURE(expect_state(cpu.backend().model(), cpu.slot(*state), truth.states[t], allowed.each))
        << "token " << t;
  }
  ASSERT_LE(distance(all, truth.logits), kLogitBound + allowed.distance);
}

TEST_P(QuantizedBackendTest, DecodePrefillAndAnyCutEqualTheOracleOnEveryCpuTarget) {
  const Tokens stream = tokens(270);  // more than one segment
  const Truth truth = run_oracle(Oracle(*plain_), stream);
  const Allowed allowed = allowed_for(*plain_, stream, truth, GetParam().activations);
  const std::vector<double> zeros(truth.logits.size());
  ASSERT_LT(allowed.distance, distance(truth.logits, zeros) / 8) << "a bound that anything meets";
  for (const std::string& target : kernels::cpu_targets()) {
    kernels::force_cpu_target(target);
    Runner cpu = runner();
    for (const std::size_t count : {std::size_t{4}, std::size_t{17}, std::size_t{100}, stream.size()}) {
      const auto state = cpu.fresh();
      const Floats logits = cpu.prefill(std::span(stream).first(count), *state);
      expect_logits(logits, truth, 0, allowed.each);
      expect_state(*model_, cpu.slot(*state), truth.states[count], allowed.each);
      if (count == stream.size()) {
        EXPECT_LE(distance(logits, truth.logits), kLogitBound + allowed.distance);
      }
      if (HasFailure()) FAIL() << target << ", a prefill of " << count << " tokens";
    }
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      expect_cuts(cpu, seed, stream, truth, allowed);
      if (HasFailure()) FAIL() << target << ", cuts of seed " << seed;
    }
  }
}

TEST_P(QuantizedBackendTest, ADecodedRowInAnyBatchHasTheBitsItHasAloneOnEveryCpuTarget) {
  constexpr std::size_t kRows = 9;
  for (const std::string& target : kernels::cpu_targets()) {
    kernels::force_cpu_target(target);
    Runner cpu = runner(2);
    std::vector<std::unique_ptr<State>> starts;  // of different ages
    std::vector<Floats> alone_logits, alone_slots;
    const Tokens next = tokens(kRows, 50);
    for (std::size_t r = 0; r < kRows; ++r) {
      starts.push_back(cpu.fresh());
      if (r > 0) cpu.prefill(tokens(5 * r, r), *starts.back(), Logits::none);
      const auto state = starts.back()->clone();
      alone_logits.push_back(cpu.decode(next[r], *state));
      alone_slots.push_back(cpu.slot(*state));
    }
    for (std::size_t batch = 2; batch <= kRows; ++batch) {
      std::vector<std::unique_ptr<State>> states;
      std::vector<Floats> logits(batch, Floats(vocab_));
      std::vector<DecodeRow> rows;
      for (std::size_t r = 0; r < batch; ++r) {  // the last sequences, so that places in the batch change
        const std::size_t sequence = kRows - batch + r;
        states.push_back(starts[sequence]->clone());
        rows.push_back({next[sequence], states.back().get(), logits[r]});
      }
      cpu.backend().decode(rows);
      for (std::size_t r = 0; r < batch; ++r) {
        const std::size_t sequence = kRows - batch + r;
        ASSERT_TRUE(same_bits(logits[r], alone_logits[sequence])) << target << ", batch " << batch << " row " << r;
        ASSERT_TRUE(same_bits(cpu.slot(*states[r]), alone_slots[sequence])) << target << ", batch " << batch;
      }
    }
  }
}

TEST_P(QuantizedBackendTest, AStateThatWasKeptElsewhereGoesOnAsOneThatNeverStopped) {
  Runner cpu = runner(), other = runner(3);
  const auto never_stopped = cpu.fresh(), restored = other.fresh();
  cpu.prefill(tokens(37), *never_stopped, Logits::none);
  restored->from_host(cpu.slot(*never_stopped));
  const Tokens rest = tokens(20, 9);
  EXPECT_TRUE(same_bits(cpu.prefill(rest, *never_stopped), other.prefill(rest, *restored)));
  for (const TokenId token : tokens(5, 10)) {
    EXPECT_TRUE(same_bits(cpu.decode(token, *never_stopped), other.decode(token, *restored)));
  }
  EXPECT_TRUE(same_bits(cpu.slot(*never_stopped), other.slot(*restored)));
}

TEST_P(QuantizedBackendTest, ACutAtASegmentAndTheNumberOfThreadsChangeNoBit) {
  Runner whole = runner(1), cut = runner(4);
  const std::size_t segment = whole.backend().prefill_segment();
  const Tokens stream = tokens(segment + 9);
  const auto state = whole.fresh(), cut_state = cut.fresh();
  const Floats logits = whole.prefill(stream, *state, Logits::last);
  cut.prefill(std::span(stream).first(segment), *cut_state, Logits::none);
  EXPECT_TRUE(same_bits(cut.prefill(std::span(stream).subspan(segment), *cut_state, Logits::last), logits));
  EXPECT_TRUE(same_bits(cut.slot(*cut_state), whole.slot(*state)));
}

std::vector<Case> cases() {
  const std::pair<const char*, const char*> pairs[] = {
      {"wide_int4", "wide"},
      {"wide_int8", "wide"},
      {"wide_int4_float16", "wide"},
      {"wide_int4_modules", "wide"},
      {"research_wide_int4", "research_wide"},
      {"research_wide_tied_int4", "research_wide_tied"},
  };
  std::vector<Case> all;
  for (const auto& [quantized, plain] : pairs) {
    for (const DType dtype : {DType::float32, DType::bfloat16, DType::int16, DType::int8}) {
      all.push_back({quantized, plain, dtype});
    }
  }
  return all;
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  return info.param.quantized + "_with_" + std::string(dtype_name(info.param.activations));
}

INSTANTIATE_TEST_SUITE_P(Corpus, QuantizedBackendTest, ::testing::ValuesIn(cases()), name_of);

}  // namespace
}  // namespace xlstm::testing
