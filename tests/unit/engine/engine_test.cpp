#include "xlstm/engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>

#include "tests/parity/compare.h"
#include "tests/support/expect_error.h"
#include "xlstm/base/error.h"
#include "xlstm/sampling/sampler.h"
#include "xlstm/state/state_file.h"

namespace xlstm::engine {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kSource = XLSTM_SOURCE_DIR;

LoadOptions from(const fs::path& model) {
  LoadOptions options;
  options.model = model;
  return options;
}

using tests::expect_error;

class EngineTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { engine_ = Engine::load({}).release(); }
  static void TearDownTestSuite() {
    delete engine_;
    engine_ = nullptr;
  }

  static generation::Request greedy(std::vector<TokenId> prompt, std::int64_t max_tokens) {
    generation::Request request;
    request.prompt = std::move(prompt);
    request.sampling.temperature = 0;
    request.max_tokens = max_tokens;
    return request;
  }

  static fs::path scratch(const std::string& name) {
    return fs::temp_directory_path() / ("xlstm_engine_test_" + std::to_string(getpid()) + "_" + name);
  }

  static Engine* engine_;
};
Engine* EngineTest::engine_ = nullptr;

TEST_F(EngineTest, TheEmbeddedModelIsTheOneInTheDirectory) {
  const auto directory = Engine::load(from(kSource / "models/bard-8m"));
  EXPECT_EQ(engine_->source(), "embedded");
  EXPECT_EQ(directory->source(), (kSource / "models/bard-8m").string());
  EXPECT_EQ(engine_->model_hash(), directory->model_hash());
  EXPECT_EQ(engine_->model().num_parameters, 8542528);
  EXPECT_EQ(engine_->tokenizer().fingerprint(), directory->tokenizer().fingerprint());
  EXPECT_THAT(engine_->stop_ids(), ElementsAre(0));
  EXPECT_THAT(engine_->config_stop_ids(), ElementsAre(0));
}

TEST_F(EngineTest, CopiedWeightsGiveTheBitsOfMappedOnes) {
  for (const fs::path& model :
       {kSource / "models/bard-8m", kSource / "tests/data/bytes-mixed-1.5m",
        kSource / "tests/fuzz/corpus/good/wide_int4", kSource / "tests/fuzz/corpus/good/huggingface_misaligned"}) {
    LoadOptions options = from(model);
    const auto mapped = Engine::load(options);
    options.copy_weights = options.check_weights = true;
    const auto copied = Engine::load(options);
    EXPECT_EQ(copied->model().copied_bytes, mapped->model().weight_bytes) << model;
    EXPECT_EQ(copied->model().mapped_bytes, 0u) << model;
    EXPECT_EQ(copied->model_hash(), mapped->model_hash()) << model;
    Session one = mapped->new_session(), other = copied->new_session();
    const std::vector<TokenId> prompt = {0, 3, 5, 7, 1, 2, 6, 4};
    EXPECT_EQ(copied->all_logits(other, prompt), mapped->all_logits(one, prompt)) << model;
    EXPECT_EQ(copied->step(other, 5), mapped->step(one, 5)) << model;
  }
}

TEST_F(EngineTest, LoadingReportsProgressFromNothingToAll) {
  std::vector<double> fractions;
  LoadOptions options;
  options.check_weights = true;
  options.on_progress = [&](double fraction) { fractions.push_back(fraction); };
  Engine::load(options);
  ASSERT_GE(fractions.size(), 2u);
  EXPECT_EQ(fractions.front(), 0);
  EXPECT_EQ(fractions.back(), 1);
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
}

TEST_F(EngineTest, AModelThatIsNotThereIsNotFound) {
  expect_error(ErrorCode::not_found, "/no/such/model", [] { Engine::load(from("/no/such/model")); });
  const fs::path empty = scratch("empty");
  fs::create_directory(empty);
  expect_error(ErrorCode::not_found, empty.string(), [&] { Engine::load(from(empty)); });
  fs::remove(empty);
}

TEST_F(EngineTest, AnUnknownBackendIsRefused) {
  LoadOptions options;
  options.backend = "abacus";
  expect_error(ErrorCode::invalid_argument, "abacus", [&] { Engine::load(options); });
}

TEST_F(EngineTest, LogitsThatCannotFitAreRefused) {
  const std::size_t count = std::size_t{1} << 30;  // 16 TiB of logits
  void* zeros = mmap(nullptr, count * sizeof(TokenId), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(zeros, MAP_FAILED);
  Session session = engine_->new_session();
  expect_error(ErrorCode::overloaded, "the logits of 1073741824 positions",
               [&] { engine_->all_logits(session, std::span(static_cast<const TokenId*>(zeros), count)); });
  EXPECT_TRUE(session.ids().empty());
  munmap(zeros, count * sizeof(TokenId));
}

TEST_F(EngineTest, BosIsAddedToAFreshTextOnly) {
  EXPECT_EQ(engine_->encode("To be", true).front(), 0);
  EXPECT_NE(engine_->encode("To be", false).front(), 0);
}

TEST_F(EngineTest, ASessionRemembersTheIdsItsStateHasRead) {
  Session session = engine_->new_session();
  EXPECT_TRUE(session.ids().empty());
  EXPECT_EQ(engine_->prefill(session, std::vector<TokenId>{0, 17, 18}).size(), 4096u);
  EXPECT_EQ(engine_->step(session, 19).size(), 4096u);
  EXPECT_EQ(engine_->all_logits(session, std::vector<TokenId>{20, 21}).size(), 2u * 4096u);
  EXPECT_THAT(session.ids(), ElementsAre(0, 17, 18, 19, 20, 21));
}

TEST_F(EngineTest, BadTokensAreRefusedAndTheSessionIsAsBefore) {
  Session session = engine_->new_session();
  engine_->prefill(session, std::vector<TokenId>{0, 17});
  const std::vector<StateTensorValue> before = engine_->state_tensors(session);
  const std::vector<TokenId> none, bad = {1, 4096};
  const auto invalid = [](const std::function<void()>& action) {
    expect_error(ErrorCode::invalid_argument, "", action);
  };
  invalid([&] { engine_->prefill(session, none); });
  invalid([&] { engine_->prefill(session, bad); });
  invalid([&] { engine_->all_logits(session, none); });
  invalid([&] { engine_->all_logits(session, bad); });
  invalid([&] { engine_->step(session, -1); });
  invalid([&] { engine_->generate(session, greedy(none, 3)); });
  invalid([&] { engine_->generate(session, greedy(bad, 3)); });
  EXPECT_THAT(session.ids(), ElementsAre(0, 17));
  const std::vector<StateTensorValue> after = engine_->state_tensors(session);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(parity::same_bits(after[i].values, before[i].values));
}

TEST_F(EngineTest, GenerateAdvancesTheSessionByWhatTheStateHasRead) {
  Session session = engine_->new_session();
  const std::vector<TokenId> prompt = engine_->encode("In the beginning God", true);
  const generation::Result result = engine_->generate(session, greedy(prompt, 8));
  ASSERT_EQ(result.ids.size(), 8u);
  std::vector<TokenId> expected = prompt;
  expected.insert(expected.end(), result.ids.begin(), result.ids.end() - 1);
  EXPECT_EQ(session.ids(), expected);
  EXPECT_EQ(result.state_tokens, expected.size());
  EXPECT_EQ(result.text, engine_->tokenizer().decode(result.ids));
}

TEST_F(EngineTest, GeneratingInTwoTurnsEqualsOne) {
  const std::vector<TokenId> prompt = engine_->encode("HAMLET.\nTo be,", true);
  Session once = engine_->new_session(), twice = engine_->new_session();
  const std::vector<TokenId> whole = engine_->generate(once, greedy(prompt, 12)).ids;
  std::vector<TokenId> parts = engine_->generate(twice, greedy(prompt, 5)).ids;
  const std::vector<TokenId> more = engine_->generate(twice, greedy({parts.back()}, 7)).ids;
  parts.insert(parts.end(), more.begin(), more.end());
  EXPECT_EQ(parts, whole);
  EXPECT_EQ(twice.ids(), once.ids());
}

TEST_F(EngineTest, TheSessionsOwnIdsCountForThePenalties) {
  const std::vector<TokenId> prompt = engine_->encode("To be, or not to be", true);
  generation::Request rest = greedy({prompt.back()}, 1);
  rest.sampling.logit_bias = {{prompt[1], 1000.0f}};  // chosen unless its presence in the session costs more
  rest.sampling.presence_penalty = 2000.0f;
  Session session = engine_->new_session();
  engine_->prefill(session, std::span(prompt).first(prompt.size() - 1));
  Session forgetful = session.fork();
  EXPECT_NE(engine_->generate(session, rest).ids.front(), prompt[1]);
  rest.history = {prompt.back()};
  EXPECT_EQ(engine_->generate(forgetful, rest).ids.front(), prompt[1]);
}

TEST_F(EngineTest, ASessionIsTrueWhenACallbackThrows) {
  Session session = engine_->new_session();
  int left = 3;
  generation::Callbacks callbacks;
  callbacks.on_token = [&](TokenId) {
    if (--left == 0) throw std::runtime_error("enough");
  };
  const std::vector<TokenId> prompt = engine_->encode("To be", true);
  EXPECT_THROW(engine_->generate(session, greedy(prompt, 8), callbacks), std::runtime_error);
  EXPECT_EQ(session.ids().size(), prompt.size() + 2);

  Session replay = engine_->new_session();
  engine_->prefill(replay, prompt);
  for (std::size_t i = prompt.size(); i < session.ids().size(); ++i) engine_->step(replay, session.ids()[i]);
  EXPECT_TRUE(parity::same_bits(engine_->step(session, 5), engine_->step(replay, 5)));
}

TEST_F(EngineTest, AForkGoesItsOwnWay) {
  Session session = engine_->new_session();
  engine_->prefill(session, std::vector<TokenId>{0, 17});
  Session fork = session.fork();
  const auto state_of = [](const Session& of) { return &of.state(); };
  EXPECT_EQ(state_of(fork), state_of(session)) << "a fork is a copy before anything was written";
  const std::vector<float> logits = engine_->step(fork, 18);
  EXPECT_NE(state_of(fork), state_of(session));
  EXPECT_THAT(session.ids(), ElementsAre(0, 17));
  EXPECT_TRUE(parity::same_bits(engine_->step(session, 18), logits));
}

TEST_F(EngineTest, StateTensorsHaveTheNamesAndShapesOfTheReference) {
  Session session = engine_->new_session();
  engine_->prefill(session, std::vector<TokenId>{0, 17});
  const std::vector<StateTensorValue> tensors = engine_->state_tensors(session);
  ASSERT_EQ(tensors.size(), 24u);
  EXPECT_EQ(tensors[0].name, "0.c");
  EXPECT_EQ(tensors[0].shape, (Shape{4, 32, 64}));
  EXPECT_EQ(tensors[23].name, "7.m");
  EXPECT_EQ(tensors[23].shape, (Shape{4, 1}));
  for (const StateTensorValue& tensor : tensors) {
    EXPECT_EQ(static_cast<std::int64_t>(tensor.values.size()), shape_size(tensor.shape)) << tensor.name;
  }
}

TEST_F(EngineTest, PerplexityIsTheMeanOverAllPredictions) {
  const std::vector<TokenId> tokens = engine_->encode("Shall I compare thee to a summer's day?", true);
  Session session = engine_->new_session();
  const std::vector<float> logits = engine_->all_logits(session, tokens);
  double nll = 0;
  for (std::size_t t = 0; t + 1 < tokens.size(); ++t) {
    nll -= sampling::log_probability(std::span(logits).subspan(t * 4096, 4096), tokens[t + 1]);
  }
  const Perplexity perplexity = engine_->perplexity(tokens);
  EXPECT_EQ(perplexity.tokens, tokens.size());
  EXPECT_NEAR(perplexity.nll_per_token, nll / static_cast<double>(tokens.size() - 1), 1e-6);
  EXPECT_NEAR(perplexity.perplexity, std::exp(perplexity.nll_per_token), 1e-9);
}

TEST_F(EngineTest, PerplexityOfMoreThanASegmentCrossesItsBorder) {
  std::vector<TokenId> tokens(engine_->backend().prefill_segment() + 2);
  std::iota(tokens.begin(), tokens.end(), 300);
  for (TokenId& id : tokens) id %= 4096;
  Session session = engine_->new_session();
  const std::vector<float> logits = engine_->all_logits(session, tokens);
  double nll = 0;
  for (std::size_t t = 0; t + 1 < tokens.size(); ++t) {
    nll -= sampling::log_probability(std::span(logits).subspan(t * 4096, 4096), tokens[t + 1]);
  }
  std::vector<std::size_t> done;
  generation::Callbacks callbacks;
  callbacks.on_prefill = [&](std::size_t count, std::size_t) { done.push_back(count); };
  EXPECT_NEAR(engine_->perplexity(tokens, callbacks).nll_per_token, nll / static_cast<double>(tokens.size() - 1), 1e-6);
  EXPECT_THAT(done, ElementsAre(tokens.size() - 2, tokens.size()));
}

TEST_F(EngineTest, PerplexityRefusesTooFewOrBadTokensAndStopsWhenCancelled) {
  expect_error(ErrorCode::invalid_argument, "at least 2 tokens but got 1",
               [] { engine_->perplexity(std::vector<TokenId>{1}); });
  expect_error(ErrorCode::invalid_argument, "", [] { engine_->perplexity(std::vector<TokenId>{1, 4096}); });
  const std::atomic<bool> cancel{true};
  generation::Callbacks callbacks;
  callbacks.cancel = &cancel;
  expect_error(ErrorCode::cancelled, "cancelled", [&] { engine_->perplexity(std::vector<TokenId>{1, 2}, callbacks); });
}

TEST_F(EngineTest, ASavedSessionComesBack) {
  const fs::path path = scratch("state");
  Session session = engine_->new_session();
  engine_->prefill(session, std::vector<TokenId>{0, 17, 18});
  engine_->save(session, path);
  Session restored = engine_->restore(path);
  fs::remove(path);
  EXPECT_EQ(restored.ids(), session.ids());
  EXPECT_TRUE(parity::same_bits(engine_->step(restored, 19), engine_->step(session, 19)));
}

TEST_F(EngineTest, ASessionKeepsTheLastLogits) {
  Session session = engine_->new_session();
  EXPECT_TRUE(session.logits().empty());
  EXPECT_EQ(engine_->prefill(session, std::vector<TokenId>{0, 17, 18}), session.logits());
  EXPECT_EQ(engine_->step(session, 19), session.logits());
  EXPECT_EQ(session.fork().logits(), session.logits());
  const std::vector<float> all = engine_->all_logits(session, std::vector<TokenId>{20, 21});
  EXPECT_TRUE(std::equal(all.end() - 4096, all.end(), session.logits().begin(), session.logits().end()));
  generation::Request request = greedy({22}, 4);
  Session unread = session.fork();
  const std::vector<TokenId> ids = engine_->generate(unread, request).ids;
  EXPECT_FALSE(unread.sampler()) << "its last id was not read";
  request.resumable = true;
  engine_->generate(session, request);
  EXPECT_EQ(session.logits(), engine_->step(unread, ids.back()));
  EXPECT_EQ(session.sampler(), (state::SamplerState{0, 4}));
  EXPECT_FALSE(session.aligned());
  engine_->step(session, 3);
  EXPECT_FALSE(session.sampler());
}

TEST_F(EngineTest, ARequestThatIsRefusedOrCancelledAtOnceLeavesWhatASessionKnows) {
  Session session = engine_->new_session();
  generation::Request request = greedy({0, 17}, 2);
  request.resumable = true;
  engine_->generate(session, request);
  const std::vector<float> logits = session.logits();
  expect_error(ErrorCode::invalid_argument, "", [&] { engine_->generate(session, greedy({4096}, 3)); });
  const std::atomic<bool> cancel{true};
  generation::Callbacks callbacks;
  callbacks.cancel = &cancel;
  engine_->generate(session, greedy({1}, 3), callbacks);
  EXPECT_EQ(session.logits(), logits);
  EXPECT_EQ(session.sampler(), (state::SamplerState{0, 2}));
  EXPECT_EQ(session.ids().size(), 4u);
}

TEST_F(EngineTest, WithoutLogitsThereIsNothingToResume) {
  generation::Request request;
  const Session session = engine_->new_session();
  expect_error(ErrorCode::invalid_argument, "logits of its last token", [&] { session.resume(request); });
}

TEST_F(EngineTest, AnAlignedStateIsNoneToAnotherStateDtype) {
  const fs::path path = scratch("aligned");
  Session session = engine_->new_session();
  engine_->prefill(session, std::vector<TokenId>{0, 17});
  engine_->save(session, path, {3});
  EXPECT_TRUE(engine_->restore(path).aligned());
  LoadOptions options;
  options.state_dtype = DType::bfloat16;
  EXPECT_FALSE(Engine::load(options)->restore(path).aligned());
  options = {};
  options.activation_dtype = DType::bfloat16;
  EXPECT_FALSE(Engine::load(options)->restore(path).aligned());
  fs::remove(path);
}

TEST_F(EngineTest, AStateFileServesEitherStateDtype) {
  LoadOptions options;
  options.state_dtype = DType::bfloat16;
  const auto narrow = Engine::load(options);
  const fs::path path = scratch("dtypes"), back = scratch("back");
  Session wide_session = engine_->new_session();
  engine_->prefill(wide_session, std::vector<TokenId>{0, 17, 18});
  engine_->save(wide_session, path);

  // from float32: rounded once, and after that exact either way
  Session rounded = narrow->restore(path);
  const std::vector<StateTensorValue> before = engine_->state_tensors(wide_session);
  const std::vector<StateTensorValue> after = narrow->state_tensors(rounded);
  for (std::size_t i = 0; i < before.size(); ++i) {
    std::vector<float> expected = before[i].values;
    if (before[i].name.ends_with(".c")) {
      for (float& value : expected) value = bfloat16_to_float32(float32_to_bfloat16(value));
      EXPECT_FALSE(parity::same_bits(expected, before[i].values)) << before[i].name;
    }
    EXPECT_TRUE(parity::same_bits(after[i].values, expected)) << before[i].name;
  }
  narrow->save(rounded, back);
  Session again = narrow->restore(back), wide = engine_->restore(back);
  const std::vector<StateTensorValue> widened = engine_->state_tensors(wide);
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_TRUE(parity::same_bits(widened[i].values, after[i].values));
  EXPECT_TRUE(parity::same_bits(narrow->step(again, 19), narrow->step(rounded, 19)));
  fs::remove(path);
  fs::remove(back);
}

TEST_F(EngineTest, TheStateDtypeIsTheBackendsAndCounts) {
  EXPECT_EQ(engine_->backend().state_dtype(), DType::float32);
  EXPECT_EQ(engine_->state_nbytes(), 266'368u);
  LoadOptions options;
  options.state_dtype = DType::bfloat16;
  EXPECT_EQ(Engine::load(options)->state_nbytes(), 266'368u - 8u * 4 * 32 * 64 * 2);
  options.state_dtype = DType::float16;
  expect_error(ErrorCode::invalid_argument, "float32 or bfloat16 but got float16", [&] { Engine::load(options); });
}

TEST_F(EngineTest, AStateOfAnotherModelIsRefused) {
  const fs::path path = scratch("other");
  const auto other = Engine::load(from(kSource / "tests/data/bytes-mixed-1.5m"));
  Session session = other->new_session();
  other->prefill(session, std::vector<TokenId>{'a'});
  other->save(session, path);
  expect_error(ErrorCode::invalid_argument, "model", [&] { engine_->restore(path); });
  fs::remove(path);
  expect_error(ErrorCode::not_found, "", [&] { engine_->restore(path); });
}

TEST_F(EngineTest, AStateOfIdsThatTheModelDoesNotHaveIsRefused) {
  const fs::path path = scratch("ids");
  const config::StateSpec& spec = engine_->model().state_spec;
  const std::vector<float> zeros(static_cast<std::size_t>(spec.slot_size));
  state::save_state(path, spec, {engine_->model_hash(), engine_->tokenizer().fingerprint(), {0, 4096}, zeros});
  expect_error(ErrorCode::corrupt_file, "expected ids in [0, 4096) but got 4096", [&] { engine_->restore(path); });
  fs::remove(path);
}

TEST_F(EngineTest, ASyntheticModelRunsAndReadsBytes) {
  const auto engine = Engine::synthetic("165m", DType::bfloat16, 1, {});
  EXPECT_EQ(engine->tokenizer().kind(), "bytes");
  EXPECT_EQ(engine->model().dtype, DType::bfloat16);
  EXPECT_THAT(engine->source(), HasSubstr("165m"));
  Session session = engine->new_session();
  const std::vector<float> logits = engine->prefill(session, engine->encode("ab", false));
  EXPECT_EQ(logits.size(), static_cast<std::size_t>(engine->model().config.vocab_size));
  EXPECT_TRUE(std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); }));
  for (const TokenId id : engine->generate(session, greedy({'c'}, 4)).ids) EXPECT_LT(id, 256);
}

TEST_F(EngineTest, AnotherNumberOfThreadsChangesNoBitOfASession) {
  const auto engine = Engine::synthetic("step64", DType::bfloat16, 1, {});
  Session session = engine->new_session();
  engine->prefill(session, engine->encode("abcdefg", false));
  Session fork = session.fork();
  engine->set_num_threads(1);
  const std::vector<float> one = engine->step(session, 'h');
  engine->set_num_threads(3);
  EXPECT_EQ(engine->backend().num_threads(), 3);
  EXPECT_EQ(engine->step(fork, 'h'), one);
}

TEST_F(EngineTest, AnUnknownSyntheticModelIsRefused) {
  expect_error(ErrorCode::invalid_argument, "3b", [] { Engine::synthetic("3b", DType::bfloat16, 1, {}); });
}

TEST_F(EngineTest, TheResearchModelReadsBytesWithoutBos) {
  const auto engine = Engine::load(from(kSource / "tests/data/bytes-mixed-1.5m"));
  EXPECT_EQ(engine->tokenizer().kind(), "bytes");
  EXPECT_TRUE(engine->stop_ids().empty());
  EXPECT_THAT(engine->encode("ab", true), ElementsAre('a', 'b'));
}

}  // namespace
}  // namespace xlstm::engine
