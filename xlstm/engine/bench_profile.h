// Where the time of a decode step or a prefill goes, operation by operation, beside the machine's ceilings.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "xlstm/backend/profile.h"
#include "xlstm/model/cost.h"

namespace xlstm::engine {

/// What the machine can do at best.
struct Ceilings {
  double bytes_per_second = 0;  // reading memory
  double flops_per_second = 0;  // float32
};

/// One operation over all blocks, in one pass: a decode step of the whole batch, or one prefill of all rows.
struct ProfileRow {
  std::string_view op;     // a model::op_name, or "rest": what no operation accounts for
  std::int64_t calls = 0;  // 0 for the rest
  double seconds = 0;      // mean over the passes
  double share = 0;        // of the pass
  double bytes = 0, flops = 0;
  double ceiling_fraction = 0;  // least seconds that the nearer ceiling allows / seconds
};

/// Rows of what was called in `passes` equal passes, the largest share first, the rest last. `costs` are those of one
/// pass, `total_seconds` the time of all. Shares sum to 1.
std::vector<ProfileRow> profile_rows(const backend::Profile& profile, const model::Costs& costs,
                                     const Ceilings& ceilings, std::int64_t passes, double total_seconds);

}  // namespace xlstm::engine
