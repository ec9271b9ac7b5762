#include "xlstm/scheduler/directory_store.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/hash.h"
#include "xlstm/base/log.h"
#include "xlstm/scheduler/store_files.h"
#include "xlstm/scheduler/swap_file.h"
#include "xlstm/state/state_file.h"

namespace xlstm::scheduler {
namespace {

std::string hash_of(const StoreOwner& owner) {
  return hash_hex(owner.model_hash + '\n' + owner.tokenizer_hash + '\n' + std::string(dtype_name(owner.state_dtype)) +
                  '\n' + owner.arithmetic);
}

/// Says before any work what would otherwise be a warning at the first eviction.
void check_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error && std::filesystem::is_directory(directory) && is_writable(directory)) return;
  fail(ErrorCode::invalid_argument, directory.string(), "expected a directory to write states to but got ",
       error ? error.message() : "one where nothing can be written");
}

}  // namespace

DirectoryStore::DirectoryStore(DirectoryOptions options, StoreOwner owner)
    : options_(std::move(options)), owner_(std::move(owner)), owner_hash_(hash_of(owner_)) {
  check_directory(options_.directory);
  for (const StoreFile& file : store_files(options_.directory)) {
    if (file.name.owner == owner_hash_) index_.add(file.name);
  }
  make_room(0);  // the quota may be a smaller one than last time
}

/// How the values are had on the other thread.
DirectoryStore::Values DirectoryStore::values_of(const std::shared_ptr<const backend::State>& state) const {
  const auto copy = [size = static_cast<std::size_t>(owner_.spec.slot_size)](const backend::State& from) {
    std::vector<float> slot(size);
    from.to_host(slot);
    return slot;
  };
  if (owner_.states_are_memory) return [state, copy] { return copy(*state); };
  return [slot = std::make_shared<std::vector<float>>(copy(*state))] { return *slot; };
}

/// Of a file, at most.
std::size_t DirectoryStore::file_bytes(std::size_t ids, std::size_t logits) const {
  return 4096 + 256 * owner_.spec.tensors.size() + owner_.spec.nbytes(owner_.state_dtype) + ids * sizeof(TokenId) +
         logits * sizeof(float);
}

/// Whether one more state may wait to be written.
bool DirectoryStore::queue_one() {
  const std::lock_guard lock(mutex_);
  if (queued_ >= options_.max_queued) {
    ++stats_.dropped;
    return false;
  }
  ++queued_;
  return true;
}

bool DirectoryStore::put(std::vector<TokenId> ids, std::shared_ptr<const backend::State> state,
                         std::vector<float> logits, Path path) {
  if (file_bytes(ids.size(), logits.size()) > options_.max_bytes || !queue_one()) return false;
  const StoreName name = {owner_hash_, IdsHash().extended(ids).hex(), ids.size(), path != Path::other, !logits.empty()};
  auto content = std::make_shared<Content>(Content{name, std::move(ids), values_of(state), std::move(logits)});
  state.reset();
  background_.post([this, content] {
    write(*content);
    content->values = {};
    const std::lock_guard lock(mutex_);
    --queued_;
  });
  return true;
}

void DirectoryStore::write(const Content& content) {
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    known = index_.has(content.name);
  }
  if (known && touch(path_of(content.name))) return;
  try {
    save(content);
  } catch (const std::exception& error) {
    log(LogLevel::warning, "state cache: " + std::string(error.what()));
    const std::lock_guard lock(mutex_);
    ++stats_.dropped;
  }
}

void DirectoryStore::save(const Content& content) {
  state::StateFile file{owner_.model_hash, owner_.tokenizer_hash, content.ids,
                        content.values(),  owner_.state_dtype,    content.logits,
                        std::nullopt,      content.name.aligned,  owner_.arithmetic};
  make_room(file_bytes(content.ids.size(), content.logits.size()));
  state::save_state(path_of(content.name), owner_.spec, file);
  std::optional<StoreName> worse;
  {
    const std::lock_guard lock(mutex_);
    worse = index_.add(content.name);
    ++stats_.writes;
  }
  if (worse) remove_file(path_of(*worse));
  count_files();
}

std::future<std::optional<HostSnapshot>> DirectoryStore::find(std::span<const TokenId> ids, std::size_t longer_than,
                                                              bool exact) {
  std::optional<StoreName> name;
  {
    const std::lock_guard lock(mutex_);
    name = index_.find(ids, longer_than, exact, owner_.segment);
  }
  if (!name) return {};
  auto found = std::make_shared<std::promise<std::optional<HostSnapshot>>>();
  std::vector<TokenId> beginning(ids.begin(), ids.begin() + std::ptrdiff_t(name->tokens));
  const auto task = [this, found, name = *name, beginning = std::move(beginning)] {
    found->set_value(read(name, beginning));
  };
  auto future = found->get_future();
  background_.post(task, /*urgent=*/true);
  return future;
}

std::optional<HostSnapshot> DirectoryStore::read(const StoreName& name, const std::vector<TokenId>& ids) {
  const std::filesystem::path path = path_of(name);
  try {
    state::StateFile file =
        state::load_state(path, {owner_.spec, owner_.model_hash, owner_.tokenizer_hash, owner_.vocab_size});
    if (file.ids != ids || file.state_dtype != owner_.state_dtype || file.arithmetic != owner_.arithmetic ||
        file.aligned != name.aligned || file.logits.empty() == name.logits) {
      fail(ErrorCode::corrupt_file, path.string(), "expected the content that its name says but got another");
    }
    touch(path);
    const std::lock_guard lock(mutex_);
    ++stats_.reads;
    const Path reached = !name.aligned                       ? Path::other
                         : name.tokens % owner_.segment == 0 ? Path::aligned
                                                             : Path::prompt_end;
    return HostSnapshot{name.tokens, std::move(file.slot), std::move(file.logits), reached};
  } catch (const Error& error) {
    forget(name);
    if (error.code() == ErrorCode::not_found) return std::nullopt;  // another process has removed it
    log(LogLevel::warning, "state cache: " + std::string(error.what()));
    if (error.code() != ErrorCode::corrupt_file && error.code() != ErrorCode::invalid_argument) return std::nullopt;
    remove_file(path);
    const std::lock_guard lock(mutex_);
    ++stats_.damaged;
  } catch (const std::exception& error) {
    forget(name);
    log(LogLevel::warning, "state cache: " + path.string() + ": " + error.what());
  }
  return std::nullopt;
}

void DirectoryStore::forget(const StoreName& name) {
  const std::lock_guard lock(mutex_);
  index_.remove(name);
}

bool DirectoryStore::can_swap_out(std::size_t states) const {
  const std::lock_guard lock(mutex_);
  return swapped_ + states * slot_bytes() <= options_.max_bytes && queued_ + states <= options_.max_queued;
}

std::unique_ptr<SwappedState> DirectoryStore::swap_out(std::shared_ptr<const backend::State> state) {
  const std::size_t bytes = slot_bytes();
  {
    const std::lock_guard lock(mutex_);
    ++queued_;
    swapped_ += bytes;
  }
  const auto written = [this] {
    const std::lock_guard lock(mutex_);
    --queued_;
  };
  const auto gone = [this, bytes] {
    const std::lock_guard lock(mutex_);
    swapped_ -= bytes;
  };
  background_.post([this] { make_room(0); });
  SwapFile::Values values = values_of(state);
  state.reset();
  return std::make_unique<SwapFile>(background_, options_.directory, std::move(values), written, gone);
}

/// Removes the least recently used files until so many bytes may be added.
void DirectoryStore::make_room(std::size_t bytes) {
  std::vector<StoreFile> files = store_files(options_.directory);
  std::size_t total = bytes;
  {
    const std::lock_guard lock(mutex_);
    total += swapped_;
  }
  for (const StoreFile& file : files) total += file.bytes;
  std::sort(files.begin(), files.end(), [](const StoreFile& a, const StoreFile& b) { return a.used < b.used; });
  for (const StoreFile& file : files) {
    if (total <= options_.max_bytes) break;
    if (!remove_file(path_of(file.name))) continue;
    total -= file.bytes;
    forget(file.name);
    const std::lock_guard lock(mutex_);
    ++stats_.evictions;
  }
  count_files();
}

void DirectoryStore::count_files() {
  std::size_t bytes = 0;
  for (const StoreFile& file : store_files(options_.directory)) bytes += file.bytes;
  const std::lock_guard lock(mutex_);
  stats_.bytes = bytes;
}

StoreStats DirectoryStore::stats() const {
  const std::lock_guard lock(mutex_);
  StoreStats stats = stats_;
  stats.bytes += swapped_;
  stats.snapshots = index_.size();
  stats.max_bytes = options_.max_bytes;
  return stats;
}

}  // namespace xlstm::scheduler
