#include "apps/cli/version.h"

#include "generated_version.h"

namespace xlstm::cli {

std::string_view version() noexcept { return XLSTM_VERSION; }

std::string_view commit() noexcept { return XLSTM_COMMIT; }

}  // namespace xlstm::cli
