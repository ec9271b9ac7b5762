// Numbers for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace xlstm::cli {

/// "17.1 MiB".
std::string human_bytes(std::size_t bytes);
/// "8,542,528".
std::string human_count(std::int64_t count);
/// "123.4 tok/s"; "n/a" for 0, the mark of "not measured".
std::string human_rate(double tokens_per_second);

}  // namespace xlstm::cli
