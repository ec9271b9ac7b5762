// Models of the corpus of checkpoints, which holds quantised ones beside plain ones of the same values.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"

namespace xlstm::tests {

inline std::shared_ptr<const model::Model> corpus_model(const std::string& name) {
  const auto directory = std::filesystem::path(XLSTM_SOURCE_DIR) / "tests/fuzz/corpus/good" / name;
  return model::build_model(checkpoint::read_checkpoint(*checkpoint::open_directory(directory)));
}

}  // namespace xlstm::tests
