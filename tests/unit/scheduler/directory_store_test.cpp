#include "xlstm/scheduler/directory_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <numeric>
#include <thread>

#include "tests/unit/scheduler/hash_backend.h"
#include "xlstm/base/error.h"
#include "xlstm/scheduler/store_files.h"

namespace xlstm::scheduler {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kSegment = 4;
constexpr std::int64_t kVocab = 8;

std::vector<TokenId> ids(std::size_t count, TokenId last = 1) {
  std::vector<TokenId> made(count, 1);
  made.back() = last;
  return made;
}

class DirectoryStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) / ("store-" + std::to_string(::getpid()));
    fs::remove_all(directory_);
    open();
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(directory_);
  }

  static StoreOwner owner() {
    StoreOwner owner;
    owner.spec.tensors = {{"h", {4}, 0, 4, false}};
    owner.spec.slot_size = 16;
    owner.model_hash = "model";
    owner.tokenizer_hash = "tokenizer";
    owner.arithmetic = "sums";
    owner.vocab_size = kVocab;
    owner.segment = kSegment;
    owner.states_are_memory = true;
    return owner;
  }
  void open(std::size_t max_bytes = 1 << 20, StoreOwner of = owner()) {
    store_.reset();
    store_ = std::make_unique<DirectoryStore>(DirectoryOptions{directory_, max_bytes}, std::move(of));
  }
  void put(const std::vector<TokenId>& ids, std::uint64_t hash, Path path = Path::aligned, bool logits = true) {
    auto state = std::make_shared<HashState>();
    state->hash = hash;
    EXPECT_TRUE(store_->put(ids, std::move(state),
                            logits ? std::vector<float>(kVocab, float(hash)) : std::vector<float>(), path));
    store_->flush();
  }
  /// The hash of the state that is found, 0: none.
  std::uint64_t found(const std::vector<TokenId>& ids, bool exact = false, std::size_t longer_than = 0) {
    auto future = store_->find(ids, longer_than, exact);
    if (!future.valid()) return 0;
    snapshot_ = future.get();
    if (!snapshot_) return 0;
    HashState state;
    state.from_host(snapshot_->slot);
    return state.hash;
  }
  fs::path file() const {
    const auto files = store_files(directory_);
    EXPECT_EQ(files.size(), 1u);
    return directory_ / files.at(0).name.text();
  }
  static void change_byte(const fs::path& path, std::streamoff from_end) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-from_end, std::ios::end);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(-from_end, std::ios::end);
    file.put(byte);
  }

  fs::path directory_;
  std::unique_ptr<DirectoryStore> store_;
  std::optional<HostSnapshot> snapshot_;
};

TEST_F(DirectoryStoreTest, FindsTheLongestBeginningAlsoInTheNextProcess) {
  put(ids(4), 4);
  put(ids(8), 0x123456789abcdef0);
  for (int process = 0; process < 2; ++process) {
    EXPECT_EQ(found(ids(9)), 0x123456789abcdef0u);
    EXPECT_EQ(snapshot_->tokens, 8u);
    EXPECT_EQ(snapshot_->path, Path::aligned);
    EXPECT_EQ(snapshot_->logits.size(), 8u);
    EXPECT_EQ(found(ids(8)), 0x123456789abcdef0u);
    EXPECT_EQ(found(ids(7)), 4u);
    EXPECT_EQ(found(ids(3)), 0u);
    EXPECT_EQ(found(ids(8, 2)), 4u);
    EXPECT_EQ(found(ids(9), false, 8), 0u);
    open();
  }
  EXPECT_EQ(store_->stats().snapshots, 2u);
  EXPECT_GT(store_->stats().bytes, 0u);
}

TEST_F(DirectoryStoreTest, ServesOnlyWhomASnapshotFits) {
  put(ids(4), 1, Path::other);
  put(ids(6), 2, Path::prompt_end);
  put(ids(8), 3, Path::aligned, /*logits=*/false);
  EXPECT_EQ(found(ids(5)), 1u);
  EXPECT_EQ(found(ids(5), /*exact=*/true), 0u);
  EXPECT_EQ(found(ids(6), true), 2u);
  EXPECT_EQ(snapshot_->path, Path::prompt_end);
  EXPECT_EQ(found(ids(7), true), 0u);
  EXPECT_EQ(found(ids(8)), 2u);  // no logits at the end
  EXPECT_EQ(found(ids(9), true), 3u);
  put(ids(4), 7, Path::aligned);  // a better one takes the place
  EXPECT_EQ(found(ids(5), true), 7u);
  put(ids(4), 8, Path::other);  // a worse one does not
  EXPECT_EQ(found(ids(5)), 7u);
  EXPECT_EQ(store_files(directory_).size(), 3u);
}

TEST_F(DirectoryStoreTest, IgnoresTheFilesOfOthers) {
  put(ids(4), 4);
  for (const auto& change : std::vector<void (*)(StoreOwner&)>{
           [](StoreOwner& o) { o.model_hash = "x"; }, [](StoreOwner& o) { o.tokenizer_hash = "x"; },
           [](StoreOwner& o) { o.arithmetic = "x"; }, [](StoreOwner& o) { o.state_dtype = DType::bfloat16; }}) {
    StoreOwner other = owner();
    change(other);
    open(1 << 20, other);
    EXPECT_EQ(found(ids(4)), 0u);
    EXPECT_EQ(store_->stats().snapshots, 0u);
    EXPECT_GT(store_->stats().bytes, 0u);  // of the quota
  }
  open();
  EXPECT_EQ(found(ids(4)), 4u);
}

TEST_F(DirectoryStoreTest, ADamagedFileIsRemovedAndNeverUsed) {
  put(ids(4), 4);
  change_byte(file(), 3);
  EXPECT_EQ(found(ids(4)), 0u);
  EXPECT_EQ(store_->stats().damaged, 1u);
  EXPECT_TRUE(store_files(directory_).empty());
  put(ids(4), 5);
  EXPECT_EQ(found(ids(4)), 5u);
}

TEST_F(DirectoryStoreTest, AFileUnderTheNameOfOtherIdsIsNotUsed) {
  put(ids(4), 4);
  StoreName name = StoreName::parse(file().filename().string()).value();
  name.ids = IdsHash().extended(ids(4, 2)).hex();
  fs::rename(file(), directory_ / name.text());
  open();
  EXPECT_EQ(found(ids(4, 2)), 0u);
  EXPECT_EQ(store_->stats().damaged, 1u);
}

TEST_F(DirectoryStoreTest, AFileThatVanishedIsAMiss) {
  put(ids(4), 4);
  fs::remove(file());
  EXPECT_EQ(found(ids(4)), 0u);
  EXPECT_EQ(store_->stats().damaged, 0u);
  put(ids(4), 4);
  EXPECT_EQ(found(ids(4)), 4u);
  fs::remove(file());
  put(ids(4), 5);  // the index does not know yet
  EXPECT_EQ(found(ids(4)), 5u);
}

TEST_F(DirectoryStoreTest, TheLeastRecentlyUsedGoesBeyondTheQuota) {
  put(ids(4), 4);
  const std::size_t one = store_->stats().bytes;
  for (TokenId last = 2; last < 5; ++last) put(ids(4, last), std::uint64_t(last));
  EXPECT_EQ(found(ids(4)), 4u);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(found(ids(4, 2)), 2u);  // used last
  open(2 * one);
  EXPECT_EQ(store_files(directory_).size(), 2u);
  EXPECT_EQ(store_->stats().evictions, 2u);
  EXPECT_EQ(found(ids(4)), 4u);
  EXPECT_EQ(found(ids(4, 2)), 2u);
  EXPECT_EQ(found(ids(4, 3)), 0u);
  open(one);
  auto state = std::make_shared<HashState>();
  EXPECT_FALSE(store_->put(ids(100), state, {}, Path::other)) << "larger than the store";
}

TEST_F(DirectoryStoreTest, TwoProcessesShareADirectory) {
  put(ids(4), 4);
  DirectoryStore other({directory_, 1 << 20}, owner());
  put(ids(4, 2), 2);
  EXPECT_TRUE(other.find(ids(4), 0, false).get().has_value());
  fs::remove_all(directory_);
  fs::create_directory(directory_);
  EXPECT_FALSE(other.find(ids(4), 0, false).get().has_value());
  EXPECT_FALSE(other.find(ids(4), 0, false).valid());
  EXPECT_EQ(found(ids(4, 2)), 0u);
}

TEST_F(DirectoryStoreTest, AStateThatIsSwappedOutComesBackAndLeavesNothing) {
  auto state = std::make_shared<HashState>();
  state->hash = 0xfedcba9876543210;
  ASSERT_TRUE(store_->can_swap_out(1));
  auto swapped = store_->swap_out(std::move(state));
  EXPECT_GT(store_->stats().bytes, 0u);
  store_->flush();
  EXPECT_EQ(HashState::alive, 0) << "it is on disk";
  EXPECT_TRUE(fs::is_empty(directory_)) << "without a name";
  HashState back;
  back.from_host(swapped->read().get());
  EXPECT_EQ(back.hash, 0xfedcba9876543210u);
  swapped.reset();
  store_->flush();
  EXPECT_EQ(store_->stats().bytes, 0u);
  EXPECT_FALSE(store_->can_swap_out(5)) << "more than may be queued";
  open(1);
  EXPECT_FALSE(store_->can_swap_out(1)) << "more than the quota";
}

TEST_F(DirectoryStoreTest, RefusesWhatIsNoDirectory) {
  const fs::path file = directory_ / "file";
  std::ofstream(file) << "x";
  EXPECT_THROW(DirectoryStore({file}, owner()), Error);
  EXPECT_THROW(DirectoryStore({"/proc/nowhere"}, owner()), Error);
}

TEST(StoreName, ParsesWhatItWrites) {
  const StoreName name = {std::string(32, 'a'), std::string(32, '0'), 123, true, false};
  EXPECT_EQ(StoreName::parse(name.text()), name);
  for (const std::string& wrong : {std::string(), std::string("x.xst"), name.text() + "x", "A" + name.text().substr(1),
                                   name.text().substr(0, 66) + "-al.xst", name.text().substr(0, 66) + "007-al.xst"}) {
    EXPECT_FALSE(StoreName::parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace xlstm::scheduler
