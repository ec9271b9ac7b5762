#include "apps/server/api/state_transfer.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <system_error>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::server::api {
namespace {

/// A folder that nobody else can read, gone with its content when this goes.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::filesystem::path& parent) {
    const std::filesystem::path base = parent.empty() ? std::filesystem::temp_directory_path() : parent;
    std::string pattern = (base / "xlstm-state-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      fail(ErrorCode::internal, base.string(), "expected a folder to write to but got ", std::strerror(errno));
    }
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;  // what is left is a file in a folder of scratch files
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::filesystem::path file() const { return path_ / "state"; }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(std::filesystem::file_size(path), '\0');
  if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
    fail(ErrorCode::internal, path.string(), "expected ", bytes.size(), " bytes but the file ended before");
  }
  return bytes;
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out)
    fail(ErrorCode::internal, path.string(), "expected room for ", bytes.size(), " bytes but could not write them");
}

}  // namespace

std::string to_state_file(engine::Engine& engine, const KeptState& state, const std::filesystem::path& scratch) {
  const scheduler::Snapshot& snapshot = state.start.snapshot;
  const bool aligned = snapshot.path != scheduler::Path::other;
  engine::Session session(snapshot.state.read().clone(), {state.start.ids, snapshot.logits, std::nullopt, aligned});
  if (!state.pending.empty()) engine.prefill(session, state.pending);
  const ScratchFolder folder(scratch);
  engine.save(session, folder.file());
  return read_file(folder.file());
}

KeptState from_state_file(engine::Engine& engine, std::string_view bytes, const std::filesystem::path& scratch) {
  const ScratchFolder folder(scratch);
  write_file(folder.file(), bytes);
  try {
    const engine::Session session = engine.restore(folder.file());
    KeptState kept;
    kept.start = {{scheduler::StatePool::adopt(session.state().clone()), session.logits(), scheduler::Path::other},
                  session.ids()};
    kept.created = std::time(nullptr);
    return kept;
  } catch (const Error& error) {
    std::string message = error.what();
    const std::string name = folder.file().string();
    if (const auto at = message.find(name); at != std::string::npos) message.replace(at, name.size(), "state");
    throw Error(error.code(), message);
  }
}

}  // namespace xlstm::server::api
