#include "xlstm/checkpoint/new_directory.h"

#include <string>
#include <system_error>

#include "xlstm/base/log.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/temporary_name.h"

namespace xlstm::checkpoint {
namespace {

namespace fs = std::filesystem;

// Without a slash at the end, links followed: what can be renamed.
fs::path resolved(const fs::path& path) {
  std::error_code error;
  const fs::path canonical = fs::weakly_canonical(fs::absolute(path), error);
  const fs::path full = error ? fs::absolute(path).lexically_normal() : canonical;
  return full.has_filename() ? full : full.parent_path();
}

void require_vacant(const fs::path& path, const std::string& given) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status)) {
    refuse(ErrorCode::invalid_argument, given, "expected a new or an empty directory but got a file");
  }
  const fs::directory_iterator first(path, error);
  if (error) refuse(ErrorCode::invalid_argument, given, "expected an empty directory but got: ", error.message());
  if (first == fs::directory_iterator()) return;
  refuse(ErrorCode::invalid_argument, given, "expected a new or an empty directory but got one that holds ",
         quote(first->path().filename().string()));
}

}  // namespace

NewDirectory::NewDirectory(const fs::path& path)
    : given_(path), path_(resolved(path)), temporary_(temporary_name(path_)) {
  require_vacant(path_, given_.string());
  remove_stale_temporaries(path_, fs::file_type::directory);
  std::error_code error;
  fs::create_directory(temporary_, error);
  if (error) {
    refuse(ErrorCode::not_found, given_.string(), "expected to create a directory but got: ", error.message());
  }
  lock_.take(temporary_);
}

NewDirectory::~NewDirectory() {
  if (committed_) return;
  std::error_code error;
  fs::remove_all(temporary_, error);
  if (error) log(LogLevel::warning, one_line("could not remove " + temporary_.string() + ": " + error.message(), 1000));
}

void NewDirectory::commit() {
  sync_directory(temporary_);
  std::error_code error;
  fs::rename(temporary_, path_, error);  // over an empty directory too; never over one that holds something
  if (error) {
    refuse(ErrorCode::internal, given_.string(), "expected to rename into place but got: ", error.message());
  }
  committed_ = true;
  sync_directory(directory_of(path_));
}

}  // namespace xlstm::checkpoint
