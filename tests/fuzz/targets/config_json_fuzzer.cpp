// config.json of the Hugging Face and research layouts, and beside quantised weights.

#include "tests/fuzz/targets/config_fuzzer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto large = xlstm::fuzz::good_weights("huggingface_single");
  static const auto research = xlstm::fuzz::good_weights("research");
  static const auto quantized = xlstm::fuzz::good_weights("wide_int4");
  xlstm::fuzz::load_with_config("config.json", {data, size}, {large, research, quantized});
  return 0;
}
