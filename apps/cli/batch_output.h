// The output of xlstm batch: one line a request, written whole, and taken up again after an interruption.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace xlstm::cli {

/// Lines are JSON objects with "index", the number of the input line from 0, and "input", the hash of its text.
class BatchOutput {
 public:
  /// "-": standard output. A file that is there is gone on with: what a killed run wrote of its last line is cut off.
  /// Errors: corrupt_file (a whole line that is not from xlstm batch), not_found (with the system's reason).
  explicit BatchOutput(std::string path);
  ~BatchOutput();
  BatchOutput(const BatchOutput&) = delete;
  BatchOutput& operator=(const BatchOutput&) = delete;

  /// Whether line `index` is there. Errors: invalid_argument (it was written for another text).
  bool has(std::size_t index, std::string_view text) const;
  std::size_t size() const noexcept { return inputs_.size(); }
  /// Errors: internal, with the system's reason.
  void write(const std::string& line);
  /// To the disk.
  void sync();

  /// As it stands in "input".
  static std::string input_hash(std::string_view text);

 private:
  void read();

  std::string path_;
  int file_ = -1;
  std::map<std::size_t, std::string> inputs_;
};

}  // namespace xlstm::cli
