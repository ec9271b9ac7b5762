// What verification refuses, and that a refusal changes nothing. Its bits are the property test's (speculative_test).
#include "tests/support/expect_error.h"
#include "tests/unit/backend/cpu_runner.h"
#include "tests/unit/backend/tiny_model.h"
#include "xlstm/backend/backend.h"

namespace xlstm::testing {
namespace {

using tests::expect_error;

class VerifyTest : public ::testing::Test {
 protected:
  void verify(const Tokens& tokens, backend::State* state) {
    Floats logits(tokens.size() * cpu_.vocab());
    cpu_.backend().verify({tokens, state, logits});
  }
  void expect_refusal(const std::string& part, const std::function<void()>& action) {
    const Floats before = cpu_.slot(*state_);
    expect_error(ErrorCode::invalid_argument, part, action);
    EXPECT_EQ(cpu_.slot(*state_), before);
  }

  const std::shared_ptr<const model::Model> model_ = make_tiny_model(tiny_specs().front());
  Runner cpu_{model_};
  const std::unique_ptr<backend::State> state_ = cpu_.fresh();
};

TEST_F(VerifyTest, BadRowsAreRefused) {
  cpu_.decode(1, *state_);
  expect_refusal("expected 1 to 16 tokens but got 0", [&] { verify({}, state_.get()); });
  expect_refusal("expected 1 to 16 tokens but got 17", [&] { verify(Tokens(17, 1), state_.get()); });
  expect_refusal("11", [&] { verify({1, 11}, state_.get()); });
  expect_refusal("-1", [&] { verify({-1}, state_.get()); });
  expect_refusal("state", [&] { verify({1, 2}, nullptr); });
  expect_refusal("logits", [&] {
    Floats logits(2 * cpu_.vocab() - 1);
    cpu_.backend().verify({Tokens{1, 2}, state_.get(), logits});
  });
}

TEST_F(VerifyTest, OnlyWhatWasJustVerifiedIsAccepted) {
  const auto other = cpu_.fresh();
  const std::string another = "expected the state of the last verification but got another";
  expect_refusal(another, [&] { cpu_.backend().accept(*state_, 0); });
  verify({1, 2, 3}, state_.get());
  expect_refusal(another, [&] { cpu_.backend().accept(*other, 1); });
  expect_refusal("expected at most 3 tokens but got 4", [&] { cpu_.backend().accept(*state_, 4); });
  cpu_.backend().accept(*state_, 2);  // what was refused before has spoilt nothing

  Runner plain(model_);
  const auto expected = plain.fresh();
  plain.decode(1, *expected);
  plain.decode(2, *expected);
  EXPECT_EQ(cpu_.slot(*state_), plain.slot(*expected));
  expect_refusal(another, [&] { cpu_.backend().accept(*state_, 1); });  // once
}

TEST_F(VerifyTest, AnotherPassEndsAVerification) {
  const auto other = cpu_.fresh();
  verify({1, 2}, state_.get());
  cpu_.decode(3, *other);
  expect_refusal("another", [&] { cpu_.backend().accept(*state_, 1); });
  verify({1, 2}, state_.get());
  cpu_.prefill(Tokens{1, 2, 3}, *other);
  expect_refusal("another", [&] { cpu_.backend().accept(*state_, 1); });
}

/// A backend that promises no verification.
class PlainBackend final : public backend::Backend {
 public:
  explicit PlainBackend(std::shared_ptr<const model::Model> model) : model_(std::move(model)) {}
  std::string_view name() const noexcept override { return "plain"; }
  const model::Model& model() const noexcept override { return *model_; }
  int num_threads() const noexcept override { return 1; }
  std::unique_ptr<backend::State> make_state() override { return nullptr; }
  std::size_t prefill_segment() const noexcept override { return 1; }
  void prefill(std::span<const backend::PrefillRow>) override {}
  void decode(std::span<const backend::DecodeRow>) override {}

 private:
  std::shared_ptr<const model::Model> model_;
};

TEST_F(VerifyTest, ABackendWithoutItSaysSo) {
  PlainBackend plain(model_);
  EXPECT_FALSE(plain.can_verify());
  Floats logits(cpu_.vocab());
  expect_error(ErrorCode::unsupported, "expected the backend cpu but got plain", [&] {
    plain.verify({Tokens{1}, state_.get(), logits});
  });
  expect_error(ErrorCode::unsupported, "expected the backend cpu but got plain", [&] { plain.accept(*state_, 1); });
}

}  // namespace
}  // namespace xlstm::testing
