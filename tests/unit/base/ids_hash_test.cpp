// The rolling hash of ids: its definition, and that it does not matter how the ids came in.
#include "xlstm/base/ids_hash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "xlstm/base/hash.h"

namespace xlstm {
namespace {

TEST(IdsHash, OfNothingIsZero) {
  EXPECT_EQ(IdsHash().hex(), std::string(32, '0'));
  EXPECT_EQ(IdsHash().extended(std::vector<TokenId>{}), IdsHash());
}

TEST(IdsHash, IsTheHashOfTheHashBeforeAndTheId) {
  const IdsHash one = IdsHash().extended(0x01020304);
  const std::string zeros(16, '\0');
  EXPECT_EQ(one.hex(), hash_hex(zeros + "\x04\x03\x02\x01"));
  std::string before;
  for (std::size_t i = 0; i < 32; i += 2) before += static_cast<char>(std::stoi(one.hex().substr(i, 2), nullptr, 16));
  EXPECT_EQ(one.extended(17).hex(), hash_hex(before + std::string("\x11\0\0\0", 4)));
}

RC_GTEST_PROP(IdsHash, CutsDoNotMatter, (const std::vector<TokenId>& a, const std::vector<TokenId>& b)) {
  std::vector<TokenId> all = a;
  all.insert(all.end(), b.begin(), b.end());
  RC_ASSERT(IdsHash().extended(a).extended(b) == IdsHash().extended(all));
}

TEST(IdsHash, TellsBeginningsOrdersAndNeighboursApart) {
  std::unordered_set<IdsHash> seen = {IdsHash()};
  for (TokenId a = 0; a < 40; ++a) {
    EXPECT_TRUE(seen.insert(IdsHash().extended(a)).second);
    for (TokenId b = 0; b < 40; ++b) {
      EXPECT_TRUE(seen.insert(IdsHash().extended(std::vector<TokenId>{a, b})).second) << a << ' ' << b;
    }
  }
}

}  // namespace
}  // namespace xlstm
