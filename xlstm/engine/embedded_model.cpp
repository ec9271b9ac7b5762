#include "xlstm/engine/embedded_model.h"

#include <cstddef>
#include <map>
#include <span>
#include <string>

// XLSTM_EMBEDDED_MODEL, the directory, comes from embedded_model.cmake, which lists the same files as dependencies.
// The assembler reads them: a 17 MB array as C++ text would take minutes to compile.
#if defined(__APPLE__)
#define XLSTM_READ_ONLY ".section __TEXT,__const\n"
#define XLSTM_LABEL(symbol) "_" #symbol
#else
#define XLSTM_READ_ONLY ".section .rodata\n"
#define XLSTM_LABEL(symbol) #symbol
#endif

#define XLSTM_EMBED(symbol, file)                        \
  asm(XLSTM_READ_ONLY                                  \
      ".balign 64\n" XLSTM_LABEL(symbol##_begin) ":\n" \
      ".incbin \"" XLSTM_EMBEDDED_MODEL "/" file "\"\n"\
      XLSTM_LABEL(symbol##_end) ":\n"                  \
      ".byte 0\n"                                      \
      ".text\n"); \
  extern "C" __attribute__((visibility("hidden"))) const std::byte symbol##_begin[], symbol##_end[];

XLSTM_EMBED(xlstm_embedded_config, "config.json")
XLSTM_EMBED(xlstm_embedded_generation_config, "generation_config.json")
XLSTM_EMBED(xlstm_embedded_shard_1, "model-00001-of-00002.safetensors")
XLSTM_EMBED(xlstm_embedded_shard_2, "model-00002-of-00002.safetensors")
XLSTM_EMBED(xlstm_embedded_index, "model.safetensors.index.json")
XLSTM_EMBED(xlstm_embedded_tokenizer, "tokenizer.json")
XLSTM_EMBED(xlstm_embedded_tokenizer_config, "tokenizer_config.json")

namespace xlstm::engine {
namespace {

/// The program keeps its own sections alive: no owner.
checkpoint::Bytes bytes_of(const std::byte* begin, const std::byte* end) {
  return {std::span(begin, static_cast<std::size_t>(end - begin)), nullptr};
}

}  // namespace

std::unique_ptr<checkpoint::FileSource> embedded_model() {
  std::map<std::string, checkpoint::Bytes> files;
  files["config.json"] = bytes_of(xlstm_embedded_config_begin, xlstm_embedded_config_end);
  files["generation_config.json"] =
      bytes_of(xlstm_embedded_generation_config_begin, xlstm_embedded_generation_config_end);
  files["model-00001-of-00002.safetensors"] = bytes_of(xlstm_embedded_shard_1_begin, xlstm_embedded_shard_1_end);
  files["model-00002-of-00002.safetensors"] = bytes_of(xlstm_embedded_shard_2_begin, xlstm_embedded_shard_2_end);
  files["model.safetensors.index.json"] = bytes_of(xlstm_embedded_index_begin, xlstm_embedded_index_end);
  files["tokenizer.json"] = bytes_of(xlstm_embedded_tokenizer_begin, xlstm_embedded_tokenizer_end);
  files["tokenizer_config.json"] = bytes_of(xlstm_embedded_tokenizer_config_begin, xlstm_embedded_tokenizer_config_end);
  return checkpoint::make_memory_source(std::move(files), "embedded model");
}

}  // namespace xlstm::engine
