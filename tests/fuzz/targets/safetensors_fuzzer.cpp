// A safetensors file: header, offsets, tensors.

#include <cstdint>
#include <span>

#include "tests/fuzz/targets/refused.h"
#include "xlstm/checkpoint/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xlstm::fuzz::accept_or_refuse([&] {
    const auto file = xlstm::checkpoint::parse_safetensors({std::as_bytes(std::span(data, size)), nullptr}, "input");
    // Every byte of every view must be there to read.
    std::uint8_t sum = 0;
    for (const auto& [name, view] : file.tensors) {
      for (std::size_t i = 0; i < view.nbytes(); ++i) sum ^= static_cast<std::uint8_t>(view.data[i]);
    }
    volatile std::uint8_t sink = sum;
    (void)sink;
  });
  return 0;
}
