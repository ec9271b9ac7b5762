// Memory that does not grow with the model: what a run takes at its peak, beside the size of what it reads and writes.
#include <sched.h>

#include "tests/support/peak_memory.h"
#include "tests/unit/quantize/files.h"
#include "xlstm/base/cores.h"
#include "xlstm/model/synthetic.h"
#include "xlstm/quantize/convert.h"
#include "xlstm/quantize/quantize.h"

namespace xlstm::testing {
namespace {

namespace fs = std::filesystem;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;  // keeps memory that was given back
#else
constexpr bool kSanitizer = false;
#endif

using tests::peak_bytes;
using tests::reset_peak;

/// While one lives, this thread and those it starts may use two cores: the memory in question grows with the threads.
class TwoCores {
 public:
  TwoCores() {
    EXPECT_EQ(::sched_getaffinity(0, sizeof(before_), &before_), 0);
    cpu_set_t two;
    CPU_ZERO(&two);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&two) < 2; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) CPU_SET(cpu, &two);
    }
    EXPECT_EQ(::sched_setaffinity(0, sizeof(two), &two), 0);
  }
  ~TwoCores() { EXPECT_EQ(::sched_setaffinity(0, sizeof(before_), &before_), 0); }
  TwoCores(const TwoCores&) = delete;
  TwoCores& operator=(const TwoCores&) = delete;

 private:
  cpu_set_t before_;
};

class MemoryTest : public ScratchTest {
 protected:
  // By how much `run` raises the peak.
  template <class F>
  std::size_t growth(F&& run) {
    EXPECT_TRUE(reset_peak());
    const std::size_t before = peak_bytes();
    run();
    return peak_bytes() - before;
  }
};

TEST_F(MemoryTest, IsAFewMegabytesAThread) {
  if (kSanitizer || !reset_peak()) GTEST_SKIP() << "the peak of this process says nothing";
  const TwoCores two_cores;
  const fs::path large = fresh();
  std::size_t bytes = 0;
  {
    const auto model = model::make_synthetic({"large", 512, 2, 2, 128, 256, 1408, 30000}, DType::float32, 0);
    bytes = model->weight_bytes;
    model::write_huggingface(*model, large);
  }
  // A chunk of the source and what is made of it are 4 MiB; the rest is small beside a third of the model.
  const auto threads = static_cast<std::size_t>(available_cores());
  const std::size_t bound = (std::size_t{20} << 20) + threads * (std::size_t{5} << 20);
  ASSERT_LE(bound, bytes / 3) << threads << " threads would hold the whole model";
  const auto files = checkpoint::open_directory(large);
  EXPECT_LT(growth([&] { quantize::convert(*files, {fresh(), DType::bfloat16}); }), bound);
  EXPECT_LT(growth([&] { quantize::convert(*files, {fresh()}); }), bound);
  EXPECT_LT(growth([&] { quantize::quantize(*files, {fresh(), {8, 64}}); }), bound);
}

}  // namespace
}  // namespace xlstm::testing
