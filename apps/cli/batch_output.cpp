#include "apps/cli/batch_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "apps/cli/standard_output.h"
#include "xlstm/base/error.h"
#include "xlstm/base/hash.h"

namespace xlstm::cli {
namespace {

[[noreturn]] void fail_system(ErrorCode code, const std::string& path, std::string_view what) {
  fail(code, path, "expected to ", what, " but got \"", std::strerror(errno), "\"");
}

}  // namespace

BatchOutput::BatchOutput(std::string path) : path_(std::move(path)) {
  if (path_ == "-") return;
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) fail_system(ErrorCode::not_found, path_, "open it for writing");
  try {
    read();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

BatchOutput::~BatchOutput() {
  if (file_ >= 0) ::close(file_);
}

void BatchOutput::read() {
  const std::string text = read_text(path_);
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const auto line = nlohmann::json::parse(text.begin() + std::ptrdiff_t(begin), text.begin() + std::ptrdiff_t(end),
                                            nullptr, /*allow_exceptions=*/false);
    const bool ours = line.is_object() && line.contains("index") && line["index"].is_number_unsigned() &&
                      line.contains("input") && line["input"].is_string();
    if (!ours) {
      fail(ErrorCode::corrupt_file, path_, "expected lines of an earlier run of xlstm batch, or no file, but line ",
           inputs_.size() + 1, " is something else");
    }
    inputs_[line["index"].get<std::size_t>()] = line["input"].get<std::string>();
  }
  if (begin < text.size() && ::ftruncate(file_, static_cast<off_t>(begin)) != 0) {
    fail_system(ErrorCode::internal, path_, "cut off its last, unfinished line");
  }
}

bool BatchOutput::has(std::size_t index, std::string_view text) const {
  const auto found = inputs_.find(index);
  if (found == inputs_.end()) return false;
  if (found->second == input_hash(text)) return true;
  fail(ErrorCode::invalid_argument, path_, "expected the output of this input, but its line of index ", index,
       " was written for another text");
}

void BatchOutput::write(const std::string& line) {
  if (file_ < 0) {
    print(line + "\n");
    return flush_output();
  }
  const std::string whole = line + "\n";
  for (std::size_t done = 0; done < whole.size();) {
    const ssize_t count = ::write(file_, whole.data() + done, whole.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_system(ErrorCode::internal, path_, "write a line");
    done += static_cast<std::size_t>(count);
  }
}

void BatchOutput::sync() {
  if (file_ >= 0 && ::fsync(file_) != 0 && errno != EINVAL && errno != EROFS) {
    fail_system(ErrorCode::internal, path_, "write it to the disk");
  }
}

std::string BatchOutput::input_hash(std::string_view text) { return hash_hex(text).substr(0, 16); }

}  // namespace xlstm::cli
