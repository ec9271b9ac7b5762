#include "xlstm/checkpoint/checkpoint.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "xlstm/checkpoint/json_document.h"
#include "xlstm/checkpoint/quantization_config.h"
#include "xlstm/checkpoint/read_config.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/shards.h"

namespace xlstm::checkpoint {
namespace {

using nlohmann::json;

struct ConfigFile {
  json root;
  std::string display;
  bool yaml = false;
};

ConfigFile read_config_file(const FileSource& files) {
  std::string display = display_name(files, "config.json");
  if (const auto bytes = files.open("config.json"))
    return {parse_json(bytes->data, display, kMaxConfigBytes), display, false};
  display = display_name(files, "config.yaml");
  if (const auto bytes = files.open("config.yaml")) return {parse_yaml(bytes->data, display), display, true};
  refuse(ErrorCode::not_found, files.description(), "expected config.json or config.yaml but got neither");
}

// The tensors decide where they can: the two layouts of xLSTM-large differ in the embedding's name.
Layout detect_layout(const ConfigFile& config, const std::map<std::string, TensorView>& tensors) {
  if (is_research_config(config.root)) return Layout::research;
  if (tensors.contains("backbone.embeddings.weight")) return Layout::huggingface;
  if (tensors.contains("embedding.weight")) return Layout::package;
  return config.yaml ? Layout::package : Layout::huggingface;
}

std::string_view layout_name(Layout layout) {
  return layout == Layout::huggingface ? "huggingface" : layout == Layout::package ? "package" : "research";
}

// One more than the largest {i} in names "<prefix>{i}....".
std::int64_t count_blocks(const std::map<std::string, TensorView>& tensors, std::string_view prefix) {
  constexpr std::size_t kMaxDigits = 6;
  std::int64_t count = 0;
  for (auto it = tensors.lower_bound(std::string(prefix)); it != tensors.end() && it->first.starts_with(prefix); ++it) {
    const std::string_view rest = std::string_view(it->first).substr(prefix.size());
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    if (digits == 0 || digits > kMaxDigits || digits == rest.size() || rest[digits] != '.') continue;
    count = std::max<std::int64_t>(count, std::stoll(std::string(rest.substr(0, digits))) + 1);
  }
  return count;
}

void check_num_blocks(std::optional<std::int64_t> wanted, std::int64_t found, const Checkpoint& checkpoint,
                      std::string_view prefix) {
  if (found == 0) {
    refuse_corrupt(checkpoint.source, "expected tensors named \"", prefix, "0.*\" for the ",
                   layout_name(checkpoint.layout), " layout but got none");
  }
  if (wanted && *wanted != found) {
    refuse_corrupt(checkpoint.config_file, "num_blocks: expected ", found, " as the tensors named \"", prefix,
                   "*\" have it but got ", *wanted);
  }
}

void read_research(ConfigSection& section, Checkpoint& checkpoint) {
  constexpr std::string_view kPrefix = "xlstm_block_stack.blocks.";
  checkpoint.config.num_blocks = count_blocks(checkpoint.tensors, kPrefix);
  check_num_blocks(section.integer("num_blocks"), checkpoint.config.num_blocks, checkpoint, kPrefix);
  read_research_config(section, checkpoint);
}

void read_large(const FileSource& files, ConfigSection& section, Checkpoint& checkpoint) {
  constexpr std::string_view kPrefix = "backbone.blocks.";
  read_large_config(section, checkpoint);
  config::ModelConfig& config = checkpoint.config;
  const std::int64_t found = count_blocks(checkpoint.tensors, kPrefix);
  check_num_blocks(config.num_blocks ? std::optional(config.num_blocks) : std::nullopt, found, checkpoint, kPrefix);
  config.num_blocks = found;
  config.blocks.assign(static_cast<std::size_t>(found), config::BlockKind::mlstm);
  if (const auto bytes = files.open("generation_config.json")) {
    const std::string display = display_name(files, "generation_config.json");
    const json root = parse_json(bytes->data, display, kMaxConfigBytes);
    ConfigSection generation(root, display);
    read_generation_config(generation, config);
  }
}

}  // namespace

Checkpoint read_checkpoint(const FileSource& files, const AvailableMemory& available) {
  const ConfigFile file = read_config_file(files);
  Shards shards = read_shards(files, available);
  Checkpoint checkpoint;
  checkpoint.layout = detect_layout(file, shards.tensors);
  checkpoint.config.layout = layout_name(checkpoint.layout);
  checkpoint.config_file = file.display;
  checkpoint.source = files.description();
  checkpoint.tensors = std::move(shards.tensors);
  checkpoint.copied = std::move(shards.copied);
  checkpoint.storage = std::move(shards.storage);
  ConfigSection section(file.root, file.display);
  checkpoint.quantization = read_quantization(section);
  if (checkpoint.layout == Layout::research) {
    read_research(section, checkpoint);
  } else {
    read_large(files, section, checkpoint);
  }
  section.note_unknown();
  return checkpoint;
}

}  // namespace xlstm::checkpoint
