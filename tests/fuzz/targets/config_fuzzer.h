// A hostile config beside good weights of each layout.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "tests/fuzz/targets/refused.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"

namespace xlstm::fuzz {

inline checkpoint::Bytes good_weights(const std::string& variant) {
  return checkpoint::map_file(std::string(XLSTM_SOURCE_DIR) + "/tests/fuzz/corpus/good/" + variant +
                              "/model.safetensors");
}

inline void load_with_config(const std::string& config_name, std::span<const std::uint8_t> config,
                             std::initializer_list<checkpoint::Bytes> weights) {
  for (const checkpoint::Bytes& bytes : weights) {
    accept_or_refuse([&] {
      const auto files = checkpoint::make_memory_source(
          {{config_name, {std::as_bytes(config), nullptr}}, {"model.safetensors", bytes}}, "memory");
      model::build_model(checkpoint::read_checkpoint(*files));
    });
  }
}

}  // namespace xlstm::fuzz
