// XXH3-128 through our wrapper: published answers, and independence of how the bytes are cut.
#include "xlstm/base/hash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <string>

namespace xlstm {
namespace {

TEST(Hasher, GivesTheAnswersOfTheReferenceProgram) {  // xxhsum -H2
  EXPECT_EQ(Hasher().digest(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash_hex("a"), "a96faf705af16834e6c632b61e964e1f");
  EXPECT_EQ(hash_hex("abc"), "06b05ab6733a618578af5f94892f3950");
}

TEST(Hasher, MayGoOnAfterADigest) {
  Hasher hasher;
  hasher.update("xl");
  EXPECT_EQ(hasher.digest(), hash_hex("xl"));
  EXPECT_EQ(hasher.update("stm").digest(), hash_hex("xlstm"));
}

TEST(Hasher, CanBeMoved) {
  Hasher from;
  from.update("ab");
  Hasher to = std::move(from);
  EXPECT_EQ(to.update("c").digest(), hash_hex("abc"));
}

RC_GTEST_PROP(Hasher, CutsDoNotMatter, (const std::string& a, const std::string& b)) {
  const std::string padding(*rc::gen::inRange(0, 2000), 'p');
  Hasher hasher;
  hasher.update(a).update("").update(padding).update(b);
  RC_ASSERT(hasher.digest() == hash_hex(a + padding + b));
}

TEST(Hasher, EveryBitCounts) {
  std::set<std::string> digests;
  for (const std::size_t size : {1, 16, 17, 128, 129, 240, 241, 2000}) {
    std::string bytes(size, '\0');
    digests.insert(hash_hex(bytes));
    for (std::size_t i = 0; i < size; i += 7) {
      bytes[i] ^= 1;
      EXPECT_TRUE(digests.insert(hash_hex(bytes)).second) << size << ' ' << i;
      bytes[i] ^= 1;
    }
  }
}

}  // namespace
}  // namespace xlstm
