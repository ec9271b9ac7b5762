// Config files of the three layouts -> Checkpoint's config fields.
#pragma once

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/checkpoint/config_section.h"

namespace xlstm::checkpoint {

/// xLSTM-large, Hugging Face and package (reference 1.1). Reads checkpoint.layout; fills config, widths, fused_weights.
/// num_blocks is 0 when the file does not say.
void read_large_config(ConfigSection& section, Checkpoint& checkpoint);

/// xLSTMLMModel (reference 3.1). Needs config.num_blocks as counted from the
/// tensors; fills config, widths and the bias flags.
void read_research_config(ConfigSection& section, Checkpoint& checkpoint);

/// generation_config.json: token ids, which win over those of config.json.
void read_generation_config(ConfigSection& section, config::ModelConfig& config);

/// True for the config of an xLSTMLMModel: it describes its blocks in sections of their own.
bool is_research_config(const nlohmann::json& root);

}  // namespace xlstm::checkpoint
