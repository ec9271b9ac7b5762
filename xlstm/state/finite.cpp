#include "xlstm/state/finite.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "xlstm/checkpoint/refuse.h"

namespace xlstm::state {

void check_finite(ErrorCode code, const std::string& file, std::string_view tensor, std::span<const float> values) {
  // An exponent of all ones carries into the sign: a loop without a branch, which becomes vectors on every target.
  std::uint32_t carries = 0;
  for (const float value : values) carries |= (std::bit_cast<std::uint32_t>(value) & 0x7fffffffu) + 0x00800000u;
  if (carries >> 31 == 0) return;
  const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  checkpoint::refuse(code, file, "tensor ", tensor, " expected finite values but got ", *bad, " at ",
                     bad - values.begin());
}

}  // namespace xlstm::state
