// Runs the program as a user does: arguments, pipes, signals, exit code.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xlstm::cli_test {

using Arguments = std::vector<std::string>;
using Environment = std::vector<std::pair<std::string, std::string>>;

/// What a program left behind. exit_code is -signal when a signal ended it.
struct Outcome {
  int exit_code = 0;
  std::string out;
  std::string err;
  bool echoes = false;  // its terminal, at the end
};

/// A started program with pipes to its three streams. Killed when still running at the end.
class Process {
 public:
  /// `terminal`: all three streams are one pseudo-terminal; its output then arrives as `out`.
  /// `output`: a file in place of the pipe of standard output. `closed`: the number of a stream that it starts without.
  explicit Process(const Arguments& arguments, const Environment& environment = {}, bool terminal = false,
                   const std::string& output = "", int closed = -1);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void write(std::string_view text);
  void close_input();
  void close_output();
  void send_signal(int signal);
  /// Reads standard output until `text` comes, after what earlier calls waited for; false when the program ends or four
  /// minutes pass before.
  bool wait_for_output(std::string_view text);
  /// The same on standard error, from its beginning.
  bool wait_for_error(std::string_view text);
  /// Reads both streams to their end and waits for the program, which is killed after four minutes.
  Outcome finish();

 private:
  bool read_some(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  std::string out_text_, err_text_;
  std::size_t seen_ = 0;  // of out_text_, by wait_for_output
  bool echoes_ = false;
};

/// build/bin/xlstm run to its end with `input` on standard input; `output` and `closed` as for Process.
Outcome run(const Arguments& arguments, const std::string& input = "", const Environment& environment = {},
            const std::string& output = "", int closed = -1);

/// Directories of the two models of the repository.
std::string bard();
std::string bytes_mixed();
std::filesystem::path test_data();

/// One line and no more, that begins "xlstm: error: ", contains all of `parts`, on standard error; nothing on standard
/// output.
void expect_refused(const Outcome& outcome, int exit_code, const std::vector<std::string>& parts);

/// Parses standard output; a failure of the test when it is not JSON.
nlohmann::json json_of(const Outcome& outcome);

/// An empty directory that is removed with it.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace xlstm::cli_test
