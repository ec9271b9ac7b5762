// config.yaml of the package and research layouts.

#include "tests/fuzz/targets/config_fuzzer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto large = xlstm::fuzz::good_weights("package");
  static const auto research = xlstm::fuzz::good_weights("research");
  xlstm::fuzz::load_with_config("config.yaml", {data, size}, {large, research});
  return 0;
}
