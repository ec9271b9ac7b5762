// The measurements behind `xlstm bench`: what is counted and how it is kept, not how fast anything is.
#include "xlstm/engine/bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tests/support/expect_error.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/bench_positions.h"
#include "xlstm/model/cost.h"

namespace xlstm::engine {
namespace {

using model::Op;

std::unique_ptr<Engine> small_engine(const std::string& backend = "cpu") {
  LoadOptions options;
  options.backend = backend;
  options.num_threads = 2;
  return Engine::synthetic("step64", DType::bfloat16, 0, options);
}

BenchOptions quick() {
  BenchOptions options;
  options.prompt_tokens = 20;
  options.decode_tokens = 3;
  options.batch = 2;
  options.repeats = 2;
  return options;
}

double sum_of_shares(const std::vector<ProfileRow>& rows) {
  double sum = 0;
  for (const ProfileRow& row : rows) sum += row.share;
  return sum;
}

using tests::expect_error;

/// A profile with laps of these operations.
backend::Profile lapped(std::initializer_list<Op> ops) {
  backend::Profile profile;
  profile.start();
  for (const Op op : ops) profile.lap(op);
  return profile;
}

TEST(ProfileRows, SharesSumToOneAndTheRestIsWhatNothingAccountsFor) {
  const backend::Profile profile = lapped({Op::norm, Op::head, Op::norm, Op::head});
  const double named = profile[Op::norm].seconds + profile[Op::head].seconds;
  const auto rows = profile_rows(profile, {}, {}, 2, 4 * named);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows.back().op, "rest");
  EXPECT_NEAR(rows.back().share, 0.75, 1e-9);
  EXPECT_NEAR(rows.back().seconds, 1.5 * named, 1e-9 * named);
  EXPECT_NEAR(sum_of_shares(rows), 1, 1e-12);
}

TEST(ProfileRows, ArePerPassTheLargestFirst) {
  backend::Profile profile = lapped({Op::embed, Op::head, Op::embed, Op::head});
  const auto rows = profile_rows(profile, {}, {}, 2, 1);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_GE(rows[0].share, rows[1].share);
  for (std::size_t i = 0; i < 2; ++i) {
    const Op op = rows[i].op == "head" ? Op::head : Op::embed;
    EXPECT_EQ(rows[i].calls, 1);
    EXPECT_DOUBLE_EQ(rows[i].seconds, profile[op].seconds / 2);
  }
}

TEST(ProfileRows, TheNearerCeilingIsTheOneThatCounts) {
  const backend::Profile profile = lapped({Op::norm, Op::head});
  model::Costs costs;
  costs[Op::head] = {100, 6000};
  costs[Op::norm] = {100, 10};
  const auto rows = profile_rows(profile, costs, {50, 1000}, 1, 1);  // 2 s and 6 s; 2 s and 0.01 s
  for (const ProfileRow& row : rows) {
    const double least_seconds = row.op == "head" ? 6 : row.op == "norm" ? 2 : 0;
    EXPECT_DOUBLE_EQ(row.ceiling_fraction, least_seconds / row.seconds) << row.op;
  }
}

TEST(Bench, ReportsBestBesideMedian) {
  const auto engine = small_engine();
  const BenchResult result = run_bench(*engine, quick());
  for (const Figure& figure :
       {result.prefill_tokens_per_second, result.decode_tokens_per_second, result.decode_bandwidth_fraction,
        result.prefill_flops_fraction, result.read_bandwidth_bytes_per_second, result.float32_flops_per_second}) {
    EXPECT_GT(figure.median, 0);
    EXPECT_GE(figure.best, figure.median);
  }
  EXPECT_GT(result.decode_step_best_seconds, 0);
  EXPECT_LE(result.decode_step_best_seconds, 2 / result.decode_tokens_per_second.best);  // 2 rows a step
  EXPECT_EQ(result.decode_step_bytes, model::decode_step_bytes(engine->model(), 2));
  EXPECT_EQ(result.prefill_flops, 2 * model::prefill_flops(engine->model(), 20));
  EXPECT_TRUE(result.decode_profile.empty());
}

TEST(Bench, AProfileAccountsForAllBytesAndFlopsOnce) {
  const auto engine = small_engine();
  BenchOptions options = quick();
  options.profile = true;
  const BenchResult result = run_bench(*engine, options);
  for (const auto* rows : {&result.prefill_profile, &result.decode_profile}) {
    std::set<std::string_view> names;
    for (const ProfileRow& row : *rows) names.insert(row.op);
    EXPECT_EQ(names.size(), rows->size());
    EXPECT_NEAR(sum_of_shares(*rows), 1, 1e-12);
  }
  double bytes = 0, flops = 0;
  for (const ProfileRow& row : result.decode_profile) bytes += row.bytes;
  for (const ProfileRow& row : result.prefill_profile) flops += row.flops;
  EXPECT_EQ(bytes, result.decode_step_bytes);
  EXPECT_EQ(flops, result.prefill_flops);
}

TEST(Bench, AProfileCountsTheCallsOfOneStepOfTheWholeBatch) {
  const auto engine = small_engine();
  BenchOptions options = quick();
  options.profile = true;
  for (const ProfileRow& row : run_bench(*engine, options).decode_profile) {
    EXPECT_EQ(row.calls, row.op == "rest" ? 0 : row.op == "norm" ? 3 : 1) << row.op;
  }
}

TEST(Bench, ACancelledRunLeavesNoProfileBehind) {
  const auto engine = small_engine();
  BenchOptions options = quick();
  options.profile = true;
  std::atomic<bool> cancel = false;
  options.cancel = &cancel;
  options.on_progress = [&](double fraction) { cancel = fraction > 0; };  // after the first repeat
  expect_error(ErrorCode::cancelled, "cancelled", [&] { run_bench(*engine, options); });
  Session session = engine->new_session();
  EXPECT_EQ(engine->step(session, 1).size(), 256u);  // would write to a profile that is gone
}

TEST(Bench, RefusesCountsBelowTheirLeast) {
  const auto engine = small_engine();
  BenchOptions options = quick();
  options.batch = 0;
  expect_error(ErrorCode::invalid_argument, "batch >= 1 but got 0", [&] { run_bench(*engine, options); });
}

PositionsOptions positions(std::vector<std::int64_t> at) {
  PositionsOptions options;
  options.positions = std::move(at);
  options.steps = 3;
  return options;
}

TEST(Positions, EveryPositionIsMeasuredBesideTheFirst) {
  const auto engine = small_engine();
  const auto results = run_positions(*engine, positions({1, 300, 5000}));
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[2].position, 5000);
  EXPECT_EQ(results[0].ratio_to_first, 1);
  EXPECT_EQ(results[0].best_ratio_to_first, 1);
  for (const PositionResult& result : results) {
    EXPECT_GT(result.step_best_seconds, 0);
    EXPECT_GE(result.step_median_seconds, result.step_best_seconds);
    EXPECT_GT(result.ratio_to_first, 0);
    EXPECT_GT(result.rss_bytes, 0u);
  }
}

TEST(Positions, ProgressGoesOnToTheEndAndCanBeStopped) {
  const auto engine = small_engine();
  std::vector<double> seen;
  std::atomic<bool> cancel = false;
  PositionsOptions options = positions({100, 20000});
  options.on_progress = [&](double fraction) { seen.push_back(fraction); };
  run_positions(*engine, options);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), 1);
  options.cancel = &cancel;
  options.on_progress = [&](double fraction) { cancel = fraction > 0.2; };
  expect_error(ErrorCode::cancelled, "cancelled", [&] { run_positions(*engine, options); });
}

TEST(Positions, RefusesWhatIsNoAscendingList) {
  const auto engine = small_engine();
  for (const std::vector<std::int64_t>& at : std::vector<std::vector<std::int64_t>>{{}, {0}, {2, 2}, {3, 2}}) {
    expect_error(ErrorCode::invalid_argument, "ascending", [&] { run_positions(*engine, positions(at)); });
  }
  PositionsOptions options = positions({1});
  options.steps = 0;
  expect_error(ErrorCode::invalid_argument, "steps >= 1 but got 0", [&] { run_positions(*engine, options); });
}

}  // namespace
}  // namespace xlstm::engine
