// What every backend promises about its rows and its name.
#include <gmock/gmock.h>

#include <limits>

#include "tests/unit/backend/tiny_model.h"
#include "xlstm/backend/backend.h"
#include "xlstm/base/error.h"

namespace xlstm::testing {
namespace {

using backend::check_rows;
using backend::DecodeRow;
using backend::Logits;
using backend::PrefillRow;
using ::testing::HasSubstr;

/// The one line that `call` fails with.
template <class F>
std::string refusal(F&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "accepted";
}

class CheckRowsTest : public ::testing::Test {
 protected:
  std::string prefill(std::vector<TokenId> tokens, Logits wanted, std::size_t room, bool with_state = true) {
    std::vector<float> logits(room);
    const PrefillRow good = {good_tokens_, state_.get(), Logits::none, {}};
    const PrefillRow rows[] = {good, {tokens, with_state ? state_.get() : nullptr, wanted, logits}};
    return refusal([&] { check_rows(*model_, rows); });
  }
  std::string decode(TokenId token, std::size_t room, bool with_state = true) {
    std::vector<float> logits(room);
    const DecodeRow row = {token, with_state ? state_.get() : nullptr, logits};
    return refusal([&] { check_rows(*model_, {&row, 1}); });
  }
  const std::shared_ptr<const model::Model> model_ = make_tiny_model(tiny_specs().front());
  const std::unique_ptr<backend::State> state_ = backend::make_backend("cpu", model_, {1})->make_state();
  const std::vector<TokenId> good_tokens_ = {0, 10};
};

TEST_F(CheckRowsTest, AcceptsGoodRowsAndNone) {
  EXPECT_EQ(prefill({0, 10}, Logits::none, 0), "accepted");
  EXPECT_EQ(prefill({0, 10}, Logits::last, 11), "accepted");
  EXPECT_EQ(prefill({0, 10}, Logits::all, 22), "accepted");
  EXPECT_EQ(decode(10, 11), "accepted");
  check_rows(*model_, std::span<const PrefillRow>());
  check_rows(*model_, std::span<const DecodeRow>());
}

TEST_F(CheckRowsTest, RefusesIdsOutsideTheVocabulary) {
  for (const TokenId wrong : {-1, 11, std::numeric_limits<TokenId>::max(), std::numeric_limits<TokenId>::min()}) {
    const std::string id = "expected an id from 0 to 10 but got " + std::to_string(wrong);
    EXPECT_THAT(prefill({0, wrong}, Logits::none, 0), HasSubstr(id));
    EXPECT_THAT(decode(wrong, 11), HasSubstr(id));
  }
}

TEST_F(CheckRowsTest, RefusesARowOfNoTokens) {
  EXPECT_THAT(prefill({}, Logits::none, 0), HasSubstr("expected at least one token but got none"));
}

TEST_F(CheckRowsTest, RefusesAMissingState) {
  EXPECT_THAT(prefill({1}, Logits::last, 11, false), HasSubstr("expected a state but got none"));
  EXPECT_THAT(decode(1, 11, false), HasSubstr("expected a state but got none"));
}

TEST_F(CheckRowsTest, RefusesRoomThatDoesNotFitTheLogitsWanted) {
  EXPECT_THAT(prefill({1, 2}, Logits::none, 11), HasSubstr("room for 0 values but got 11"));
  EXPECT_THAT(prefill({1, 2}, Logits::last, 22), HasSubstr("room for 11 values but got 22"));
  EXPECT_THAT(prefill({1, 2}, Logits::all, 11), HasSubstr("room for 22 values but got 11"));
  EXPECT_THAT(decode(1, 10), HasSubstr("room for 11 values but got 10"));
}

TEST(MakeBackendTest, RefusesAnUnknownNameAndSaysWhichThereAre) {
  const auto model = make_tiny_model(tiny_specs().front());
  for (const std::string name : {"", "CPU", "gpu", "mlx-gpu"}) {
    EXPECT_THAT(refusal([&] { backend::make_backend(name, model, {1}); }),
                HasSubstr("expected cpu, mlx or mlx-cpu but got \"" + name + "\""));
  }
}

TEST(MakeBackendTest, MakesTheCpuBackendWithAsManyThreadsAsAsked) {
  const auto model = make_tiny_model(tiny_specs().front());
  for (const int threads : {1, 3}) {
    const auto cpu = backend::make_backend("cpu", model, {threads});
    EXPECT_EQ(cpu->name(), "cpu");
    EXPECT_EQ(cpu->num_threads(), threads);
  }
  EXPECT_GE(backend::make_backend("cpu", model, {})->num_threads(), 1);
}

TEST(MakeBackendTest, TheCpuBackendIsInEveryBuild) {
  EXPECT_THAT(backend::backend_names(), ::testing::Contains("cpu"));
}

}  // namespace
}  // namespace xlstm::testing
