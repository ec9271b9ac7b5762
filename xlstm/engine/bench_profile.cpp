#include "xlstm/engine/bench_profile.h"

#include <algorithm>

#include "xlstm/engine/statistics.h"

namespace xlstm::engine {

std::vector<ProfileRow> profile_rows(const backend::Profile& profile, const model::Costs& costs,
                                     const Ceilings& ceilings, std::int64_t passes, double total_seconds) {
  std::vector<ProfileRow> rows;
  ProfileRow rest;
  rest.op = "rest";
  rest.seconds = total_seconds / static_cast<double>(passes);
  rest.share = 1;
  for (std::size_t i = 0; i < model::kNumOps; ++i) {
    const model::Op op{static_cast<std::uint8_t>(i)};
    const backend::Profile::Entry& entry = profile[op];
    if (entry.laps == 0) continue;
    ProfileRow row;
    row.op = model::op_name(op);
    row.calls = entry.laps / passes;
    row.seconds = entry.seconds / static_cast<double>(passes);
    row.share = ratio(entry.seconds, total_seconds);
    row.bytes = costs[op].bytes;
    row.flops = costs[op].flops;
    const double least_seconds =
        std::max(ratio(row.bytes, ceilings.bytes_per_second), ratio(row.flops, ceilings.flops_per_second));
    row.ceiling_fraction = ratio(least_seconds, row.seconds);
    rest.seconds -= row.seconds;
    rest.share -= row.share;
    rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end(), [](const ProfileRow& a, const ProfileRow& b) { return a.share > b.share; });
  rows.push_back(rest);
  return rows;
}

}  // namespace xlstm::engine
