// tokenizer.json, and text through whatever tokenizer comes out.

#include <cstdint>
#include <string_view>

#include "tests/fuzz/targets/refused.h"
#include "xlstm/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xlstm::fuzz::accept_or_refuse([&] {
    const auto tokenizer = xlstm::tokenizer::parse_tokenizer({reinterpret_cast<const char*>(data), size}, "input");
    tokenizer->decode(tokenizer->encode("To be,  or not\n\tto be: 1234 e\u0301 \xff <|endoftext|>"));
  });
  return 0;
}
