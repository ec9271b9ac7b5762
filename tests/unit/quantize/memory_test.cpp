// Memory that does not grow with the model: what a run takes at its peak, beside the size of what it reads and writes.
#include <fstream>

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

// Peak resident bytes of this process since the last reset, mapped files included; 0 where the system does not say.
std::size_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::size_t kibibytes = 0;
  while (status >> word) {
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

bool reset_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good() && peak_bytes() > 0;
}

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
  if (bound > bytes / 3) GTEST_SKIP() << threads << " threads hold the whole model";
  const auto files = checkpoint::open_directory(large);
  EXPECT_LT(growth([&] { quantize::convert(*files, {fresh(), DType::bfloat16}); }), bound);
  EXPECT_LT(growth([&] { quantize::convert(*files, {fresh()}); }), bound);
  EXPECT_LT(growth([&] { quantize::quantize(*files, {fresh(), {8, 64}}); }), bound);
}

}  // namespace
}  // namespace xlstm::testing
