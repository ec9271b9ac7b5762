// The time at which tests render: Friday, 26 July 2024, 9:05:07.
#pragma once

#include "xlstm/text/jinja/template.h"

namespace xlstm::text::jinja::tests {

inline RenderOptions friday() {
  std::tm time{};
  time.tm_year = 124;
  time.tm_mon = 6;
  time.tm_mday = 26;
  time.tm_hour = 9;
  time.tm_min = 5;
  time.tm_sec = 7;
  time.tm_wday = 5;
  time.tm_yday = 207;
  RenderOptions options;
  options.now = time;
  return options;
}

}  // namespace xlstm::text::jinja::tests
