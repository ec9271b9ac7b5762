// Which build this is.
#pragma once

#include <string_view>

namespace xlstm::cli {

/// "0.1.0".
std::string_view version() noexcept;
/// Commit of the sources, "-dirty" when they were changed; "unknown" when they were not in a git checkout.
std::string_view commit() noexcept;

}  // namespace xlstm::cli
