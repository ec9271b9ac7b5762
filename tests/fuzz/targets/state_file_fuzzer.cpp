// The file of a conversation's state.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "tests/fuzz/targets/refused.h"
#include "xlstm/config/state_spec.h"
#include "xlstm/state/state_file.h"

namespace {

xlstm::config::StateSpec tiny_spec() {
  xlstm::config::ModelConfig config;
  config.num_blocks = 1;
  config.blocks = {xlstm::config::BlockKind::mlstm};
  config.num_heads = 2;
  config.qk_dim = config.v_dim = 4;
  return xlstm::config::make_state_spec(config);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const xlstm::config::StateSpec spec = tiny_spec();
  const int file = ::memfd_create("state", MFD_CLOEXEC);
  if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
  xlstm::fuzz::accept_or_refuse([&] {
    xlstm::state::load_state("/proc/self/fd/" + std::to_string(file), {spec, "model", "tokenizer", 256});
  });
  ::close(file);
  return 0;
}
