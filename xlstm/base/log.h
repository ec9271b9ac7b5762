// Where the library's notes go. The library never prints: a program that wants to see notes sets a sink.
#pragma once

#include <functional>
#include <string>

namespace xlstm {

enum class LogLevel { debug, info, warning };
using LogSink = std::function<void(LogLevel, const std::string&)>;

/// Replaces the process-wide sink; an empty function silences. Thread-safe.
void set_log_sink(LogSink sink);
/// Hands a one-line note to the sink, if there is one. Thread-safe.
void log(LogLevel level, const std::string& message);

}  // namespace xlstm
