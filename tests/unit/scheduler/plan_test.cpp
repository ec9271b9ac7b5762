#include "xlstm/scheduler/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xlstm::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SequenceView reads(std::size_t position, std::size_t prompt_left, double service = 0, std::int64_t priority = 0) {
  return {.priority = priority, .service = service, .position = position, .prompt_left = prompt_left};
}

SequenceView decodes(double service, bool has_row = false, std::size_t slice_left = 0, std::int64_t priority = 0) {
  return {.priority = priority, .service = service, .has_row = has_row, .slice_left = slice_left};
}

StepPlan plan(std::vector<SequenceView> sequences, const Limits& limits) {
  for (std::size_t i = 0; i < sequences.size(); ++i) sequences[i].order = i;
  return plan_step(sequences, limits);
}

constexpr Limits kLimits = {.max_rows = 2, .prefill_tokens = 16, .segment = 8};

TEST(PlanStep, OfNothingIsNothing) {
  const StepPlan nothing = plan({}, kLimits);
  EXPECT_THAT(nothing.prefill, IsEmpty());
  EXPECT_THAT(nothing.decode, IsEmpty());
}

struct PieceCase {
  std::size_t position, prompt_left, prefill_tokens, expected;
};

class FirstPiece : public testing::TestWithParam<PieceCase> {};

TEST_P(FirstPiece, EndsAtAMultipleOfTheSegmentOrAtTheEnd) {
  const PieceCase& c = GetParam();
  const StepPlan step = plan({reads(c.position, c.prompt_left)}, {2, c.prefill_tokens, 8});
  EXPECT_THAT(step.prefill, ElementsAre(Piece{0, c.expected}));
}

INSTANTIATE_TEST_SUITE_P(Cases, FirstPiece,
                         testing::Values(PieceCase{0, 1, 16, 1}, PieceCase{0, 7, 16, 7}, PieceCase{0, 8, 16, 8},
                                         PieceCase{0, 16, 16, 16}, PieceCase{0, 17, 16, 16}, PieceCase{0, 100, 20, 16},
                                         PieceCase{3, 100, 16, 13}, PieceCase{3, 4, 16, 4}, PieceCase{3, 100, 2, 5},
                                         PieceCase{0, 100, 1, 8}, PieceCase{7, 100, 1, 1}, PieceCase{8, 3, 1, 3}));

TEST(PlanStep, GivesShortPromptsWhatIsLeftOfAStep) {
  const StepPlan step = plan({reads(0, 5), reads(0, 100), reads(0, 2)}, kLimits);
  EXPECT_THAT(step.prefill, ElementsAre(Piece{0, 5}, Piece{1, 8}, Piece{2, 2}));
}

TEST(PlanStep, PassesOverAPromptThatHasNoRoomForASegmentButNotTheNext) {
  const StepPlan step = plan({reads(0, 12), reads(0, 100), reads(0, 4)}, kLimits);
  EXPECT_THAT(step.prefill, ElementsAre(Piece{0, 12}, Piece{2, 4}));
}

TEST(PlanStep, ReadsByPriorityThenServiceThenArrival) {
  const StepPlan step = plan({reads(0, 4, 3), reads(0, 4, 1), reads(0, 4, 1), reads(0, 4, 9, 1)}, kLimits);
  EXPECT_THAT(step.prefill, ElementsAre(Piece{3, 4}, Piece{1, 4}, Piece{2, 4}, Piece{0, 4}));
}

TEST(PlanStep, GivesRowsToThoseWhoHadLeast) {
  EXPECT_THAT(plan({decodes(5), decodes(1), decodes(3)}, kLimits).decode, ElementsAre(1, 2));
}

TEST(PlanStep, KeepsARowUntilItsSliceIsUsedUp) {
  EXPECT_THAT(plan({decodes(5, true, 1), decodes(1), decodes(3)}, kLimits).decode, ElementsAre(0, 1));
  EXPECT_THAT(plan({decodes(5, true, 0), decodes(1), decodes(3)}, kLimits).decode, ElementsAre(1, 2));
}

TEST(PlanStep, TakesARowAtOnceForAHigherPriority) {
  EXPECT_THAT(plan({decodes(0, true, 9), decodes(0, true, 9), decodes(7, false, 0, 1)}, kLimits).decode,
              ElementsAre(0, 2));
}

TEST(PlanStep, ReadsAndDecodesInOneStep) {
  const StepPlan step = plan({decodes(0), reads(0, 3), decodes(0)}, kLimits);
  EXPECT_THAT(step.prefill, ElementsAre(Piece{1, 3}));
  EXPECT_THAT(step.decode, ElementsAre(0, 2));
}

TEST(PlanAdmission, GoesByPriorityThenArrivalWhileThereAreStates) {
  const std::vector<WaitingView> waiting = {{0, 1, 1}, {5, 2, 2}, {0, 3, 1}, {5, 4, 1}};
  EXPECT_THAT(plan_admission(waiting, 0), IsEmpty());
  EXPECT_THAT(plan_admission(waiting, 4), ElementsAre(1, 3, 0));
  EXPECT_THAT(plan_admission(waiting, 9), ElementsAre(1, 3, 0, 2));
}

TEST(PlanAdmission, NobodyGoesAheadOfOneWhoNeedsMoreThanIsLeft) {
  const std::vector<WaitingView> waiting = {{0, 1, 3}, {0, 2, 1}};
  EXPECT_THAT(plan_admission(waiting, 2), IsEmpty());
}

struct SwapCase {
  const char* what;
  std::vector<WaitingView> waiting;
  std::vector<RunningView> running;
  std::size_t free_states;
  std::vector<std::size_t> expected;
};

TEST(PlanSwapOut, ChoosesTheLeastEntitled) {
  constexpr std::size_t kTurn = 10;
  const std::vector<SwapCase> cases = {
      {"nobody waits", {}, {{0, 1, 1, 50}}, 0, {}},
      {"nobody runs", {{0, 1, 1}}, {}, 0, {}},
      {"there is room", {{1, 9, 1}}, {{0, 1, 1, 50}}, 1, {}},
      {"less priority gives way at once", {{1, 9, 1}}, {{0, 1, 1, 0}}, 0, {0}},
      {"more priority never does", {{0, 9, 1}}, {{1, 1, 1, 50}}, 0, {}},
      {"the same priority keeps its turn", {{0, 9, 1}}, {{0, 1, 1, 9}}, 0, {}},
      {"and gives way after it", {{0, 9, 1}}, {{0, 1, 1, 10}}, 0, {0}},
      {"the least priority first", {{2, 9, 1}}, {{1, 1, 1, 90}, {0, 2, 1, 0}}, 0, {1}},
      {"then the longest turn", {{1, 9, 1}}, {{0, 1, 1, 3}, {0, 2, 1, 4}}, 0, {1}},
      {"then the latest", {{1, 9, 1}}, {{0, 2, 1, 3}, {0, 1, 1, 3}}, 0, {0}},
      {"as many as are needed", {{1, 9, 3}}, {{0, 1, 1, 0}, {0, 2, 1, 0}, {0, 3, 1, 0}}, 1, {1, 2}},
      {"nobody where all would not do", {{1, 9, 3}}, {{0, 1, 1, 0}}, 1, {}},
      {"nobody goes ahead of one who cannot be helped", {{1, 8, 3}, {1, 9, 1}}, {{0, 1, 1, 0}}, 0, {}},
      {"one victim does not serve two", {{1, 8, 1}, {1, 9, 1}}, {{0, 1, 1, 0}}, 0, {0}},
      {"what one leaves is the next one's", {{1, 8, 1}, {1, 9, 1}}, {{0, 1, 2, 0}, {0, 0, 1, 0}}, 0, {0}},
      {"each his own", {{0, 9, 1}, {2, 8, 1}}, {{1, 1, 1, 0}, {0, 2, 1, 10}}, 0, {1}},
  };
  for (const SwapCase& c : cases) {
    EXPECT_EQ(plan_swap_out(c.waiting, c.running, c.free_states, kTurn), c.expected) << c.what;
  }
}

}  // namespace
}  // namespace xlstm::scheduler
