// strftime of the C locale.
#pragma once

#include <string>
#include <string_view>

#include "xlstm/text/jinja/runtime.h"

namespace xlstm::text::jinja {

/// The runtime's time. %a %A %b %B %d %e %F %H %I %j %m %M %p %S %T %y %Y %%, each number also without its leading zero
/// (%-d). Fails for another conversion.
std::string format_time(Runtime& runtime, std::string_view format);

}  // namespace xlstm::text::jinja
